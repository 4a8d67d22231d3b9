/**
 * What the bench compares the ledger with, in a database of its own: the tables and the transaction that one writes
 * first, without tenants, events, limits or idempotency. 10,000 accounts, as many as the ledger gets there.
 */
export const PLAIN_TABLES: readonly string[] = [
  'create table accounts (id int primary key, debits bigint not null, credits bigint not null)',
  'create table transfers (id uuid primary key, debit int not null, credit int not null, amount bigint not null)',
  'insert into accounts (id, debits, credits) select place, 0, 0 from generate_series(0, 9999) place',
];

/** One transfer, between `begin` and `commit`. */
export const PLAIN_TRANSFER = {
  debit: 'update accounts set debits = debits + $2 where id = $1',
  credit: 'update accounts set credits = credits + $2 where id = $1',
  insert: 'insert into transfers (id, debit, credit, amount) values ($1, $2, $3, $4)',
} as const;
