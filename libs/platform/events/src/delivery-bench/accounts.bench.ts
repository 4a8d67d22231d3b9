import { newId } from '@holdfast/kernel';
import { Client } from 'pg';

/** A tenant of the bench, with accounts that only it moves. */
export interface BenchTenant {
  readonly id: string;
  readonly accountIds: readonly string[];
}

const TENANTS = 100;
/** Few enough that commits of one tenant meet on an account now and then: order is only in danger where they do. */
const ACCOUNTS = 10;

/**
 * Locks accounts in the order of their ids and counts their movements: the business of every contestant's transaction.
 * Who appends an event per movement in the same transaction holds the lock on the event's key until the commit.
 */
const SETUP = `
  drop schema if exists bench cascade;
  create schema bench;
  create table bench.accounts (
    tenant_id uuid, id uuid, place int not null, version bigint not null default 0, primary key (tenant_id, id)
  ) with (fillfactor = 50);
  create function bench.move(tenant uuid, ids uuid[]) returns table (moved uuid, at int, to_version bigint)
  language sql begin atomic
    with locked as (
      select a.id from bench.accounts a where a.tenant_id = tenant and a.id = any (ids) order by a.id for no key update
    )
    update bench.accounts a set version = a.version + 1 from locked
    where a.tenant_id = tenant and a.id = locked.id
    returning a.id, a.place, a.version;
  end;
  grant usage on schema bench to holdfast_app;
  grant select, update on bench.accounts to holdfast_app;`;

/** Makes the accounts anew, all at version 0, with places that follow `firstPlace`: those of another run are known by them. */
export async function prepareAccounts(adminUrl: string, firstPlace: number): Promise<readonly BenchTenant[]> {
  const tenants = Array.from({ length: TENANTS }, () => ({
    id: newId(),
    accountIds: Array.from({ length: ACCOUNTS }, () => newId()),
  }));
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(SETUP);
    await client.query(
      `insert into bench.accounts (tenant_id, id, place)
       select unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::int[])`,
      [
        tenants.flatMap(({ id, accountIds }) => accountIds.map(() => id)),
        tenants.flatMap(({ accountIds }) => accountIds),
        tenants.flatMap(({ accountIds }, tenant) =>
          accountIds.map((_id, place) => firstPlace + tenant * ACCOUNTS + place),
        ),
      ],
    );
    await client.query('analyze bench.accounts');
  } finally {
    await client.end();
  }
  return tenants;
}

export const ACCOUNTS_IN_ALL = TENANTS * ACCOUNTS;
