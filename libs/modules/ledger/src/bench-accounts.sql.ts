/**
 * Opens the accounts of the bench in one statement, as a superuser: a million through the API would take minutes. Their
 * ids count from 1 and sort as they were opened, as those of the API do. The one with 0 may not be debited beyond its
 * credits, of which it has none: what debits it is refused.
 */
export const OPEN_ACCOUNTS = `insert into ledger.accounts (tenant_id, id, code, asset, normal_balance, limit_rule)
  select $1, ('00000000-0000-7000-8000-' || lpad(to_hex(place), 12, '0'))::uuid, 'bench ' || place, 'EUR/2',
    'debit', case place when 0 then 'debits_must_not_exceed_credits' else 'none' end
  from generate_series(0, $2::int) place`;

/** What the server has done so far, and how large the tables of transfers and events are. */
export const LOOK_AT_STORAGE = `select
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 as wal,
    pg_table_size('ledger.transfers')::float8 as transfers_heap,
    pg_indexes_size('ledger.transfers')::float8 as transfers_indexes,
    pg_table_size('events.log')::float8 as events_heap,
    pg_indexes_size('events.log')::float8 as events_indexes`;

/** Of the updates of accounts, those that touched no index. */
export const HOT_UPDATES = `select n_tup_upd::float8 as updates, n_tup_hot_upd::float8 as hot
  from pg_stat_user_tables where schemaname = 'ledger' and relname = 'accounts'`;

/** What makes figures durable ones. */
export const DURABILITY = `select current_setting('fsync') as fsync,
    current_setting('synchronous_commit') as synchronous_commit, current_setting('full_page_writes') as full_page_writes,
    current_setting('server_version') as version`;
