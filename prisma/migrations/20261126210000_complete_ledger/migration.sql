-- The whole ledger: holds, linked groups, balancing, reversals, effective dates and closed periods, in one function.
-- What was asked for under an id, and what came of it, is now one row of
-- ledger.transfers, refused or not; before, each item had a second row in ledger.attempts.
--
-- Safe under load but for posting, which waits: every row of ledger.transfers is written anew with its effective date, refusals
-- and keys are copied, and the unique indexes are built again, so it takes about as long as restoring the table. The release
-- before goes on posting: its ledger.post_batch is kept as a wrapper. Until its last process is gone, its reads show refused
-- transfers among the others, and its lists of transfers sort all of the tenant's.
set local role holdfast_owner;

alter table ledger.accounts add column revision bigint not null default 1 check (revision > 0);
-- Of indexes that cost the same, as all do while a table is nearly empty, PostgreSQL takes the newest: the plans that sessions
-- make then, and keep, look accounts up by their id and not through all codes of the tenant.
alter table ledger.accounts drop constraint accounts_pkey, add constraint accounts_pkey primary key (tenant_id, id);
comment on column ledger.accounts.revision is 'Counts what people change: opened, closed, reopened, described. Never a transfer.';
grant update (revision) on ledger.accounts to holdfast_app;

-- What was asked for under each id, and what came of it; kept for ever and never updated. A refusal stays one, so that a late
-- retry of a refused transfer never moves money that arrived in the meantime.
alter table ledger.transfers
  -- transfer: both legs at once. hold: pending on both. post, void, expiry: what ends a hold, in part or whole, or gives
  -- it back. reversal: a transfer back.
  add column kind text not null default 'transfer' check (kind in ('transfer', 'hold', 'post', 'void', 'expiry', 'reversal')),
  -- The hold that a post, void or expiry ends; the transfer that a reversal takes back.
  add column target_id uuid,
  -- Null: it took effect. Otherwise the code of the refusal: then there are no versions, totals and event.
  add column refusal text,
  -- Of a refused one. The event of another tells who made it.
  add column actor text,
  -- What was asked for besides: balancing, effective_date, linked, min_balance_after, timeout_seconds, and amount where it may
  -- differ from what moved. Null where nothing was.
  add column terms jsonb,
  add column effective_date date,
  add column expires_at timestamptz,
  -- Pending totals as the transfer left them. Null for 0, which takes no space: most ledgers have few holds.
  add column debit_account_held_debits bigint check (debit_account_held_debits > 0),
  add column debit_account_held_credits bigint check (debit_account_held_credits > 0),
  add column credit_account_held_debits bigint check (credit_account_held_debits > 0),
  add column credit_account_held_credits bigint check (credit_account_held_credits > 0),
  alter column debit_account_id drop not null,
  alter column credit_account_id drop not null,
  alter column amount drop not null,
  alter column debit_version drop not null,
  alter column credit_version drop not null,
  alter column debit_account_debits drop not null,
  alter column debit_account_credits drop not null,
  alter column credit_account_debits drop not null,
  alter column credit_account_credits drop not null,
  alter column booked_at drop not null,
  alter column asset drop not null,
  drop constraint transfers_accounts_differ,
  drop constraint transfers_check,
  drop constraint transfers_check1;
-- Its owner copies what all tenants have; no role but the owner sees the tables so, and only until the end of this migration.
alter table ledger.transfers no force row level security;
alter table ledger.attempts no force row level security;
update ledger.transfers set effective_date = (booked_at at time zone 'utc')::date;
alter table ledger.transfers
  add constraint transfers_effect_is_whole check (refusal is not null or (
    debit_account_id <> credit_account_id and amount > 0 and debit_version > 0 and credit_version > 0
    and debit_account_debits >= 0 and debit_account_credits >= 0 and credit_account_debits >= 0
    and credit_account_credits >= 0 and booked_at is not null and effective_date is not null and asset is not null)
    is true),
  add constraint transfers_refusal_has_no_effect check (refusal is null or (
    actor is not null and debit_version is null and credit_version is null and booked_at is null)),
  add constraint transfers_moved_counts check (refusal is not null or kind not in ('transfer', 'post', 'reversal')
    or (debit_account_debits >= amount and credit_account_credits >= amount)),
  add constraint transfers_follower_has_target check ((target_id is not null) = (kind in ('post', 'void', 'expiry', 'reversal'))),
  add constraint transfers_hold_expires check (expires_at is null or kind = 'hold');

-- All but the primary key leave refusals out. So they stay small, and no look-up by id takes one of them for the primary key,
-- as plans made over an empty table would and then keep. The list's has no id: of equal instants, which a batch has, an
-- index keeps the first and then counts.
alter table ledger.transfers
  drop constraint transfers_tenant_id_debit_account_id_debit_version_key,
  drop constraint transfers_tenant_id_credit_account_id_credit_version_key;
drop index ledger.transfers_tenant_id_booked_at_id_idx;
-- No version twice on a leg; and what an account's entries are read by.
create unique index transfers_tenant_id_debit_account_id_debit_version_key
  on ledger.transfers (tenant_id, debit_account_id, debit_version) where refusal is null;
create unique index transfers_tenant_id_credit_account_id_credit_version_key
  on ledger.transfers (tenant_id, credit_account_id, credit_version) where refusal is null;
create index transfers_tenant_id_booked_at_idx on ledger.transfers (tenant_id, booked_at) where refusal is null;

-- A hold ends once and a transfer is reversed once, whatever code runs.
create unique index transfers_tenant_id_target_id_key on ledger.transfers (tenant_id, target_id)
  where target_id is not null and refusal is null;

-- A request as text that is the same for the same request: jsonb writes its keys in one order.
create function ledger.request_text(
  kind text, target_id uuid, debit_account_id uuid, credit_account_id uuid, amount bigint, metadata jsonb, terms jsonb
) returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select concat_ws('|', kind, coalesce(target_id::text, '-'), coalesce(debit_account_id::text, '-'),
    coalesce(credit_account_id::text, '-'), coalesce(amount, 0), coalesce(terms::text, '-'), metadata::text)
$$;

-- Which request came first under an idempotency key, and the id of the transfer that it asked for; kept for ever.
create table ledger.keys (
  tenant_id uuid not null,
  idempotency_key uuid not null,
  transfer_id uuid not null,
  -- Whether the client chose that id; then a repeated key has to come with the same one.
  id_given boolean not null,
  -- SHA-256 of ledger.request_text: what a repeated key has to ask for again.
  fingerprint bytea not null check (length(fingerprint) = 32),
  attempted_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, idempotency_key)
);
insert into ledger.transfers (tenant_id, id, kind, debit_account_id, credit_account_id, amount, metadata, refusal, actor)
select a.tenant_id, a.id, 'transfer', a.debit_account_id, a.credit_account_id, a.amount, a.metadata, a.result, a.actor
from ledger.attempts a
where a.result is not null;
insert into ledger.keys (tenant_id, idempotency_key, transfer_id, id_given, fingerprint, attempted_at)
select a.tenant_id, a.idempotency_key, coalesce(a.chosen_id, a.id), a.chosen_id is not null,
  sha256(convert_to(ledger.request_text('transfer', null, a.debit_account_id, a.credit_account_id, a.amount, a.metadata, null), 'utf8')),
  a.attempted_at
from ledger.attempts a
where a.idempotency_key is not null;
alter table ledger.transfers force row level security;
select tenancy.protect('ledger.keys');
grant select, insert on ledger.keys to holdfast_app;
grant select on ledger.keys to holdfast_ops;

-- Open holds that end by themselves, for the sweeper, which looks for the oldest of all tenants.
create table ledger.timeouts (
  tenant_id uuid not null,
  hold_id uuid not null,
  expires_at timestamptz not null,
  primary key (tenant_id, hold_id)
);
create index timeouts_expires_at_idx on ledger.timeouts (expires_at);
select tenancy.protect('ledger.timeouts');
grant select, insert, delete on ledger.timeouts to holdfast_app;
grant select on ledger.timeouts to holdfast_ops;

-- Up to which day, that day included, the tenant takes no bookings any more. No row or null: none is closed.
create table ledger.books (
  tenant_id uuid primary key,
  closed_through date,
  revision bigint not null default 1 check (revision > 0)
);
select tenancy.protect('ledger.books');
grant select, insert, update (closed_through, revision) on ledger.books to holdfast_app;
grant select on ledger.books to holdfast_ops;

-- The time of the ledger. Tests put another in its place.
create function ledger.clock() returns timestamptz
language sql volatile set search_path = pg_catalog, pg_temp as $$ select clock_timestamp() $$;

drop function ledger.post_batch(uuid[], boolean[], uuid[], uuid[], uuid[], bigint[], jsonb[], uuid[], text[], text[], text[],
  text[], int[]);
drop function ledger.replay_items(uuid, boolean[], boolean[], uuid[], boolean[], uuid[], uuid[], uuid[], bigint[], jsonb[]);
drop table ledger.attempts;

create type ledger.posting_result as (
  place int, result text, replayed boolean, id uuid, debit_account_id uuid, credit_account_id uuid, asset text, amount bigint,
  debit_version bigint, credit_version bigint, booked_at text, effective_date text, expires_at text);

-- Answers the items of a batch whose idempotency key or id was known before them: what came of the first one, if the items
-- ask for the same, and otherwise that they do not. A key counts before an id: it is reused with anything else than at
-- first, the chosen id included, and with the same it answers as at first, also when that was that an id is taken. `fresh`
-- marks the items that are first, and are left out; `keys_fresh` those whose key came first with them. Reads what is
-- committed or of this transaction, which never changes any more.
--
-- Lateral look-ups with a limit go through the unique keys whatever the statistics say. Case expressions instead of
-- coalesce, which PostgreSQL takes for leaky and would keep above the policy: every look-up would walk the tenant.
create function ledger.replay_items(
  tenant uuid, fresh boolean[], keys_fresh boolean[], ids uuid[], ids_given boolean[], idempotency_keys uuid[], kinds text[],
  target_ids uuid[], account_ids uuid[], debit_places int[], credit_places int[], amounts bigint[], metadatas jsonb[],
  terms jsonb[]
) returns setof ledger.posting_result
language sql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
  with matched as (
    select i.place, known.id, known.refusal, known.debit_account_id, known.credit_account_id, known.asset, known.amount,
      known.debit_version, known.credit_version, known.booked_at, known.effective_date, known.expires_at,
      by_key.transfer_id is not null and not i.is_key_fresh as is_key_known,
      case
        when by_key.transfer_id is not null and (
            by_key.id_given <> i.id_given or (i.id_given and by_key.transfer_id <> i.id)
            or by_key.fingerprint <> sha256(convert_to(ledger.request_text(
              i.kind, i.target_id, account_ids[i.debit_place], account_ids[i.credit_place], i.amount, i.metadata, i.terms),
              'utf8')))
          then 'idempotency.key_reused'
        when i.kind <> known.kind then 'ledger.exists_with_different_kind'
        when i.target_id <> known.target_id then 'ledger.exists_with_different_target_id'
        when i.target_id is null and account_ids[i.debit_place] <> known.debit_account_id
          then 'ledger.exists_with_different_debit_account_id'
        when i.target_id is null and account_ids[i.credit_place] <> known.credit_account_id
          then 'ledger.exists_with_different_credit_account_id'
        when i.amount <> case
            when known.terms ? 'amount' then (known.terms->>'amount')::bigint
            when known.target_id is null then known.amount
            else 0
          end then 'ledger.exists_with_different_amount'
        when i.terms is distinct from known.terms then 'ledger.exists_with_different_' || (
          select min(t.name) from (values
            ('balancing'), ('effective_date'), ('linked'), ('min_balance_after'), ('timeout_seconds')) t (name)
          where i.terms->t.name is distinct from known.terms->t.name)
        when i.metadata <> known.metadata then 'ledger.exists_with_different_metadata'
      end as mismatch
    from unnest(fresh, keys_fresh, ids, ids_given, idempotency_keys, kinds, target_ids, debit_places, credit_places, amounts,
        metadatas, terms)
      with ordinality i (is_fresh, is_key_fresh, id, id_given, idempotency_key, kind, target_id, debit_place, credit_place,
        amount, metadata, terms, place)
    left join lateral (
      select k.transfer_id, k.id_given, k.fingerprint from ledger.keys k
      where k.tenant_id = tenant and k.idempotency_key = i.idempotency_key
      limit 1) by_key on true
    cross join lateral (
      select t.id, t.kind, t.target_id, t.debit_account_id, t.credit_account_id, t.amount, t.metadata, t.terms, t.refusal,
        t.asset, t.debit_version, t.credit_version, t.booked_at, t.effective_date, t.expires_at
      from ledger.transfers t
      where t.tenant_id = tenant and t.id = case when by_key.transfer_id is null then i.id else by_key.transfer_id end
      limit 1) known
    where not i.is_fresh
  )
  select m.place::int, coalesce(m.mismatch, m.refusal, 'exists'),
    m.mismatch is null or (m.is_key_known and m.mismatch <> 'idempotency.key_reused'), m.id, a.debit_account_id,
    a.credit_account_id, a.asset, a.amount, a.debit_version, a.credit_version,
    to_char(a.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), a.effective_date::text,
    to_char(a.expires_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  from matched m
  left join lateral (select m.*) a on m.mismatch is null and m.refusal is null
$$;

-- Writes what is new of accounts that this transaction has locked, by the places of their rows. A function of its own for its
-- settings: they leave this plan and no other, which would compare each account of the tenant with each item.
create function ledger.write_totals(
  rows_at tid[], versions bigint[], debits bigint[], credits bigint[], held_debits bigint[], held_credits bigint[],
  last_booked timestamptz[]
) returns void
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off
set enable_bitmapscan = off set enable_indexscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  update ledger.accounts a
  set posted_debits = u.debits, posted_credits = u.credits, pending_debits = u.held_debits, pending_credits = u.held_credits,
    version = u.version, last_booked_at = u.last_booked_at
  from unnest(rows_at, versions, debits, credits, held_debits, held_credits, last_booked)
    u (row_at, version, debits, credits, held_debits, held_credits, last_booked_at)
  where a.ctid = u.row_at and a.tenant_id = (select tenancy.tenant_id()) and a.version <> u.version;
end $$;

-- The same for the timeouts of holds that have ended. With a join by id it is the planner's choice where to begin, and once it
-- knows the table as nearly empty, it compares each timeout of the tenant with each item. Places stay good while the statement
-- that calls post_items runs: what that one sees is not vacuumed.
create function ledger.drop_timeouts(rows_at tid[]) returns void
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off
set enable_bitmapscan = off set enable_indexscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  delete from ledger.timeouts t
  using unnest(rows_at) u (row_at)
  where t.ctid = u.row_at and t.tenant_id = (select tenancy.tenant_id());
end $$;

-- Posts items in the order of the arrays, each seeing those before it, and answers one row per item; for those that are not
-- `detailed` the result alone, and none where it is `created`. A refused item leaves the others alone, but for those that it
-- is linked with. Runs in a transaction of the tenant, as its caller: row-level security
-- binds every statement.
--
-- Item i has ids[i] (`ids_given`: chosen by the client; otherwise made for this call, so that nobody else can know it),
-- idempotency_keys[i] or null, and the grant of its caller at place grant_of[i] of `grants`, which are distinct and of the
-- one tenant. Each grant is verified, and its actor is written on the item's event or refusal. HF001 for one that is not
-- genuine. 40001 when another transaction has used an id or begun with a target meanwhile: done again, it knows.
--
-- | kind     | asks for                                                   | target           | amount                      |
-- |----------|------------------------------------------------------------|------------------|-----------------------------|
-- | transfer | a debit and a credit                                       |                  | at least 1                  |
-- | hold     | the same, pending until it ends                            |                  | at least 1                  |
-- | post     | that a hold is posted, and what is left of it given back   | the hold         | at most the hold's; 0: all  |
-- | void     | that a hold is given back                                  | the hold         | 0                           |
-- | expiry   | the same for one whose time is over                        | the hold         | 0                           |
-- | reversal | that a posted transfer is made the other way round         | the transfer     | 0                           |
--
-- `terms` may ask for more of a transfer or hold: `balancing` ("debit", "credit", "both": at most `amount`, and as much as
-- the credits of the debited account, or the debits of the credited one, leave free), `min_balance_after` ({"debit",
-- "credit"}: what is free on the account afterwards, by its normal balance), `effective_date`, and of a hold
-- `timeout_seconds`. `linked` items and the one behind them take effect together or not at all.
--
-- | result                            | when                                                                      |
-- |-----------------------------------|---------------------------------------------------------------------------|
-- | created                           | took effect by this call                                                  |
-- | exists                            | took effect before under this id or key, with the same fields             |
-- | ledger.account_not_found          | an account that the tenant does not have                                  |
-- | ledger.accounts_must_differ       | debit and credit account are the same                                     |
-- | ledger.account_closed             | an account is closed; holds end on closed accounts, too                   |
-- | ledger.asset_mismatch             | the accounts are of different assets                                      |
-- | ledger.period_closed              | the effective date is in a closed period                                  |
-- | ledger.overflow                   | a total would pass 2^63-1                                                 |
-- | ledger.exceeds_credits            | debits, pending ones included, would exceed credits where they must not   |
-- | ledger.exceeds_debits             | credits, pending ones included, would exceed debits where they must not   |
-- | ledger.balance_below_minimum      | less than min_balance_after would be free                                 |
-- | ledger.linked_item_failed         | an item that it is linked with was refused or known                       |
-- | ledger.hold_not_found             | the target of a post, void or expiry is no hold of the tenant             |
-- | ledger.hold_posted, …_voided      | the hold has ended so                                                     |
-- | ledger.hold_expired               | its time is over, whether or not the sweeper has come to it               |
-- | ledger.hold_not_due               | an expiry before its time                                                 |
-- | ledger.exceeds_hold               | a post of more than is held                                               |
-- | ledger.transfer_not_found         | the target of a reversal is no transfer of the tenant                     |
-- | ledger.not_reversible             | it moved no posted money, or is a reversal itself                         |
-- | ledger.already_reversed           | it was reversed before                                                    |
-- | ledger.exists_with_different_…    | the id is known with another kind, target_id, debit_account_id, …         |
-- | idempotency.key_reused            | the key is known with another request: other fields, or another id given  |
--
-- Of several refusals the first is given: of the target, where there is one, and then of the accounts, as they stand above. Of
-- several fields the first that differs is named: kind, target_id, the accounts, amount, the terms by name, metadata.
--
-- Right under concurrency, in this order, which every caller shares:
-- 1. Keys go in first, in their order. Of two transactions with an equal key the second waits at the unique index until the
--    first ends, and then finds its row or takes its place.
-- 2. The accounts are locked in id order in one statement, which reads them as of the lock; those of targets are looked up
--    before, and never change. From here on nothing waits but for step 5.
-- 3. Only now is looked for ids that are known and for what became of targets: equal requests name equal accounts, so
--    whoever came first has ended, and is seen.
-- 4. Decisions are made in a loop over arrays without SQL inside: a read of a fixed-width element costs nanoseconds.
-- 5. Transfers, accounts and events are written by one statement each, under the locks of the accounts. Events of an account
--    therefore stand in the log in the order of its versions. Transfers go in by id: should another transaction with other
--    accounts use one of the ids at the same time, the later waits for it here, and begins again.
--
-- Plans live as long as their session, are made once for batches of any size, and often over empty tables. So they are left
-- no choice: one look-up by the primary key or the row's place after the other, and no joins of arrays. Planning each batch
-- anew took longer than posting ten transfers.
create function ledger.post_items(
  ids uuid[], ids_given boolean[], idempotency_keys uuid[], kinds text[], target_ids uuid[], account_ids uuid[],
  debit_places int[], credit_places int[], amounts bigint[], metadatas jsonb[], terms jsonb[], linked boolean[],
  detailed boolean[], event_ids uuid[], correlation_ids text[], causation_ids text[], traceparents text[], grants text[],
  grant_of int[]
) returns setof ledger.posting_result
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off
set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_material = off as $$
#variable_conflict use_column
declare
  codes constant text[] := array[
    'ledger.account_not_found', 'ledger.accounts_must_differ', 'ledger.account_closed', 'ledger.asset_mismatch', -- 4
    'ledger.period_closed', 'ledger.overflow', 'ledger.exceeds_credits', 'ledger.exceeds_debits', -- 8
    'ledger.balance_below_minimum', 'ledger.linked_item_failed', 'ledger.hold_not_found', 'ledger.hold_posted', -- 12
    'ledger.hold_voided', 'ledger.hold_expired', 'ledger.hold_not_due', 'ledger.exceeds_hold', -- 16
    'ledger.transfer_not_found', 'ledger.not_reversible', 'ledger.already_reversed']; -- 19
  kind_names constant text[] := array['transfer', 'hold', 'post', 'void', 'expiry', 'reversal'];
  total_max constant bigint := 9223372036854775807;
  no_minimum constant bigint := -9223372036854775808;
  tenant constant uuid := tenancy.tenant_id();
  n constant int := cardinality(ids);
  keyed constant int := cardinality(array_remove(idempotency_keys, null));
  is_plain constant boolean := 'transfer' = all (kinds); -- Then there are no targets.
  has_terms constant boolean := cardinality(array_remove(terms, null)) > 0;
  has_links constant boolean := true = any (linked);
  actors text[];
  fresh_keys uuid[];
  known_ids uuid[];
  keys_fresh boolean[] := array_fill(true, array[n]); -- Whether an item has no key or is the first with it.
  fresh boolean[]; -- Whether it is the first with its key and its id.
  -- Per account, in id order: those of the items and those of their targets.
  all_ids uuid[] := account_ids;
  place_of int[]; -- Of account_ids among all_ids.
  found boolean[];
  assets text[];
  has_assets boolean; -- Whether they are more than one.
  asset_names text[]; -- Each once.
  asset_places int[]; -- Among asset_names, since reading the nth text of an array costs n steps.
  rows_at tid[]; -- Where their rows are.
  debits bigint[];
  credits bigint[];
  held_debits bigint[];
  held_credits bigint[];
  versions bigint[];
  last_booked timestamptz[];
  closed boolean[];
  debit_normal boolean[];
  caps_debits boolean[];
  caps_credits boolean[];
  -- Per target, in id order. States: -1 unknown, 0 open, 1 posted, 2 voided, 3 expired, 4 reversed.
  targets uuid[] := '{}';
  target_kinds smallint[];
  target_states smallint[];
  target_debits int[];
  target_credits int[];
  target_amounts bigint[];
  target_ends timestamptz[]; -- When a hold expires.
  -- Per item. Places are those of the accounts, 0 for one that is not there: an array with nulls is read from its front.
  zeros constant bigint[] := array_fill(0::bigint, array[n]);
  kind_places smallint[] := array_fill(0::smallint, array[n]);
  target_of int[]; -- The place of its target, or 0.
  own_target int[]; -- Its place among the targets of others, or 0.
  debit_of int[] := debit_places;
  credit_of int[] := credit_places;
  balancing smallint[]; -- Added up: 1 by the debited account, 2 by the credited one.
  min_debits bigint[];
  min_credits bigint[];
  dates date[]; -- infinity where none was asked for.
  timeouts int[]; -- Seconds, or 0.
  outcomes smallint[] := array_fill((-1)::smallint, array[n]); -- 0: created; else the place in codes; -1: not fresh.
  moved bigint[] := amounts; -- What moved, is held, or is given back.
  held bigint[] := zeros; -- What it added to the held amounts.
  posted bigint[] := zeros; -- What it added to the posted ones.
  debit_versions bigint[] := zeros;
  credit_versions bigint[] := zeros;
  debit_account_debits bigint[] := zeros;
  debit_account_credits bigint[] := zeros;
  credit_account_debits bigint[] := zeros;
  credit_account_credits bigint[] := zeros;
  debit_account_held_debits bigint[] := zeros;
  debit_account_held_credits bigint[] := zeros;
  credit_account_held_debits bigint[] := zeros;
  credit_account_held_credits bigint[] := zeros;
  booked timestamptz[] := array_fill('-infinity'::timestamptz, array[n]);
  booked_before_debit timestamptz[] := booked;
  booked_before_credit timestamptz[] := booked;
  has_held boolean; -- Whether there is anything held on the accounts, or will be.
  closed_through date;
  started_at timestamptz;
  chain_start int := 1;
  chain_failed boolean := false;
  o int; -- Outcome.
  k int; -- Kind.
  d int; -- Place of the debited account.
  c int; -- Place of the credited account.
  x int; -- Place of the target.
  m bigint; -- Amount.
  p bigint; -- What it adds to the posted totals.
  h bigint; -- What it adds to the held ones.
  b timestamptz; -- When it is booked.
  written int;
begin
  select array_agg(tenancy.grant_actor(g.signed) order by g.place) into actors
  from unnest(grants) with ordinality g (signed, place);
  if keyed > 0 and 'expiry' = any (kinds) and exists (
      select from unnest(kinds, idempotency_keys) i (kind, idempotency_key)
      where i.kind = 'expiry' and i.idempotency_key is not null) then
    raise exception 'an expiry has a key, and no refusal of one is kept' using errcode = '22023';
  end if;

  if keyed > 0 then
    with inserted as (
      insert into ledger.keys as a (tenant_id, idempotency_key, transfer_id, id_given, fingerprint)
      select tenant, i.idempotency_key, i.id, i.id_given, sha256(convert_to(ledger.request_text(
        i.kind, i.target_id, account_ids[i.debit_place], account_ids[i.credit_place], i.amount, i.metadata, i.terms), 'utf8'))
      from unnest(ids, ids_given, idempotency_keys, kinds, target_ids, debit_places, credit_places, amounts, metadatas, terms)
        with ordinality i (id, id_given, idempotency_key, kind, target_id, debit_place, credit_place, amount, metadata, terms,
          place)
      where i.idempotency_key is not null
      order by i.idempotency_key, i.place
      on conflict do nothing
      returning a.idempotency_key)
    select array_agg(f.idempotency_key) into fresh_keys from inserted f;
    if cardinality(fresh_keys) is distinct from keyed then
      -- Of equal keys in one batch the first went in.
      select array_agg(r.idempotency_key is null or (r.nth = 1 and r.is_fresh) order by r.place) into keys_fresh
      from (
        select i.idempotency_key, i.place, bool_or(i.place is null) over (partition by i.idempotency_key) as is_fresh,
          row_number() over (partition by i.idempotency_key order by i.place) as nth
        from (
          select k.idempotency_key, k.place from unnest(idempotency_keys) with ordinality k (idempotency_key, place)
          union all
          select f.idempotency_key, null from unnest(fresh_keys) f (idempotency_key)) i) r
      where r.place is not null;
    end if;
  end if;

  if has_terms then
    select array_agg(case i.terms->>'balancing' when 'debit' then 1 when 'credit' then 2 when 'both' then 3 else 0 end::smallint
        order by i.place),
      array_agg(coalesce((i.terms->'min_balance_after'->>'debit')::bigint, no_minimum) order by i.place),
      array_agg(coalesce((i.terms->'min_balance_after'->>'credit')::bigint, no_minimum) order by i.place),
      array_agg(coalesce((i.terms->>'effective_date')::date, 'infinity') order by i.place),
      array_agg(coalesce((i.terms->>'timeout_seconds')::int, 0) order by i.place)
    into balancing, min_debits, min_credits, dates, timeouts
    from unnest(terms) with ordinality i (terms, place);
    if 'infinity' <> any (dates) then
      -- Whoever closes a period waits for those that are dated back, and they for it. The rest date to the present day, which
      -- can be closed only when no transaction of it is under way any more.
      insert into ledger.books (tenant_id) values (tenant) on conflict do nothing;
      select s.closed_through into closed_through from ledger.books s where s.tenant_id = tenant for key share;
    end if;
  end if;
  if not is_plain then
    select array_agg((array_position(kind_names, i.kind) - 1)::smallint order by i.place) into strict kind_places
    from unnest(kinds) with ordinality i (kind, place);
    -- Ranks instead of joins of arrays, which are quadratic where the plan does not know how long they are.
    select coalesce(array_agg(distinct r.id) filter (where r.is_target), '{}'),
      array_agg(case when r.is_target and r.asks then r.rank else 0 end order by r.place) filter (where r.asks),
      array_agg(case when r.is_target then r.rank else 0 end order by r.place) filter (where not r.asks)
    into targets, target_of, own_target
    from (
      select l.id, l.place, l.asks, l.is_target, dense_rank() over (partition by l.is_target order by l.id)::int as rank
      from (
        select i.id, i.place, i.asks, i.id is not null and bool_or(i.asks) over (partition by i.id) as is_target
        from (
          select t.id, t.place, true as asks from unnest(target_ids) with ordinality t (id, place)
          union all
          select t.id, t.place, false from unnest(ids) with ordinality t (id, place)) i) l) r;
    select array_agg(distinct r.id) filter (where r.id is not null),
      array_agg(r.rank order by r.place) filter (where r.leg = 0),
      array_agg(case when r.id is null then 0 else r.rank end order by r.place) filter (where r.leg = 1),
      array_agg(case when r.id is null then 0 else r.rank end order by r.place) filter (where r.leg = 2)
    into all_ids, place_of, target_debits, target_credits
    from (
      select l.id, l.leg, l.place, dense_rank() over (order by l.id)::int as rank -- Nulls are last.
      from (
        select a.id, 0 as leg, a.place from unnest(account_ids) with ordinality a (id, place)
        union all
        select case g.leg when 1 then t.debit_account_id else t.credit_account_id end, g.leg, i.place
        from unnest(targets) with ordinality i (id, place)
        cross join generate_series(1, 2) g (leg)
        left join lateral (
          select t.debit_account_id, t.credit_account_id, t.refusal from ledger.transfers t
          where t.tenant_id = tenant and t.id = i.id
          limit 1) t on t.refusal is null) l) r;
    select array_agg(coalesce(place_of[nullif(i.debit_place, 0)], 0) order by i.place),
      array_agg(coalesce(place_of[nullif(i.credit_place, 0)], 0) order by i.place)
    into debit_of, credit_of
    from unnest(debit_places, credit_places) with ordinality i (debit_place, credit_place, place);
  end if;

  -- One look-up after the other, as a lateral join with a limit has to be: in the order of the array, which is that of the
  -- ids, and by the primary key even before the table has statistics.
  select array_agg(l.id is not null order by l.place), array_agg(l.row_at order by l.place),
    array_agg(l.asset order by l.place), array[min(l.asset)], min(l.asset) <> max(l.asset),
    array_agg(coalesce(l.posted_debits, 0) order by l.place), array_agg(coalesce(l.posted_credits, 0) order by l.place),
    array_agg(coalesce(l.pending_debits, 0) order by l.place), array_agg(coalesce(l.pending_credits, 0) order by l.place),
    array_agg(coalesce(l.version, 0) order by l.place), array_agg(coalesce(l.last_booked_at, '-infinity') order by l.place),
    array_agg(l.id is not null and l.closed_at is not null order by l.place),
    array_agg(coalesce(l.normal_balance = 'debit', false) order by l.place),
    array_agg(coalesce(l.limit_rule = 'debits_must_not_exceed_credits', false) order by l.place),
    array_agg(coalesce(l.limit_rule = 'credits_must_not_exceed_debits', false) order by l.place),
    coalesce(bool_or(l.pending_debits > 0 or l.pending_credits > 0), false) or not is_plain
  into found, rows_at, assets, asset_names, has_assets, debits, credits, held_debits, held_credits, versions, last_booked,
    closed, debit_normal, caps_debits, caps_credits, has_held
  from (
    select i.place, a.id, a.row_at, a.asset, a.posted_debits, a.posted_credits, a.pending_debits, a.pending_credits, a.version,
      a.last_booked_at, a.closed_at, a.normal_balance, a.limit_rule
    from unnest(all_ids) with ordinality i (id, place)
    left join lateral (
      select a.id, a.ctid as row_at, a.asset, a.posted_debits, a.posted_credits, a.pending_debits, a.pending_credits, a.version,
        a.last_booked_at, a.closed_at, a.normal_balance, a.limit_rule
      from ledger.accounts a
      where a.tenant_id = tenant and a.id = i.id
      limit 1
      for no key update) a on true) l;
  asset_places := array_fill(1, array[coalesce(cardinality(all_ids), 0)]);
  if has_assets then
    select array_agg(distinct r.asset order by r.asset), array_agg(r.rank order by r.place) into asset_names, asset_places
    from (
      select a.asset, a.place, dense_rank() over (order by a.asset)::int as rank -- Nulls are last.
      from unnest(assets) with ordinality a (asset, place)) r;
  end if;

  fresh := keys_fresh;
  known_ids := array(
    select t.id
    from unnest(ids) i (id)
    cross join lateral (select t.id from ledger.transfers t where t.tenant_id = tenant and t.id = i.id limit 1) t);
  if cardinality(known_ids) > 0 or (n > 1 and n > (select count(distinct i.id) from unnest(ids) i (id))) then
    select array_agg(r.is_key_fresh and r.nth = 1 and not r.is_known order by r.place) into fresh
    from (
      select i.place, i.is_key_fresh, bool_or(i.place is null) over (partition by i.id) as is_known,
        row_number() over (partition by i.id, i.is_key_fresh order by i.place) as nth
      from (
        select t.id, t.is_key_fresh, t.place from unnest(ids, keys_fresh) with ordinality t (id, is_key_fresh, place)
        union all
        select l.id, false, null from unnest(known_ids) l (id)) i) r
    where r.place is not null;
  end if;

  if not is_plain then
    select array_agg(coalesce(array_position(kind_names, t.kind) - 1, -1)::smallint order by i.place),
      array_agg(case
          when t.kind is null then -1
          when f.kind = 'post' then 1
          when f.kind = 'void' then 2
          when f.kind = 'expiry' then 3
          when f.kind = 'reversal' then 4
          else 0
        end::smallint order by i.place),
      array_agg(coalesce(t.amount, 0) order by i.place), array_agg(coalesce(t.expires_at, 'infinity') order by i.place)
    into target_kinds, target_states, target_amounts, target_ends
    from unnest(targets) with ordinality i (id, place)
    left join lateral (
      select t.kind, t.amount, t.expires_at, t.refusal from ledger.transfers t
      where t.tenant_id = tenant and t.id = i.id
      limit 1) t on t.refusal is null
    left join lateral (
      select f.kind from ledger.transfers f
      where f.tenant_id = tenant and f.target_id = i.id and f.refusal is null
      limit 1) f on true;
  end if;

  started_at := ledger.clock();
  for i in 1 .. n loop
    if chain_failed then
      if fresh[i] then
        outcomes[i] := 10;
      end if;
    else
      o := -1;
      if fresh[i] then
        k := kind_places[i];
        m := amounts[i];
        x := 0;
        if k <= 1 then
          d := debit_of[i];
          c := credit_of[i];
          p := case k when 0 then m else 0 end;
          h := m - p;
          o := case when d = 0 or c = 0 or not found[d] or not found[c] then 1 when d = c then 2 else 0 end;
        else
          x := target_of[i];
          d := target_debits[x];
          c := target_credits[x];
          o := 0;
          if target_states[x] >= 0 and (d = 0 or c = 0) then
            raise exception 'a target appeared meanwhile' using errcode = '40001';
          end if;
          if k = 5 then
            d := c;
            c := target_debits[x];
            m := target_amounts[x];
            p := m;
            h := 0;
            if target_states[x] = -1 then
              o := 17;
            elsif target_kinds[x] not in (0, 2) then
              o := 18;
            elsif target_states[x] = 4 then
              o := 19;
            end if;
          else
            h := - target_amounts[x];
            if k > 2 then
              m := - h;
              p := 0;
            else
              m := case m when 0 then - h else m end;
              p := m;
            end if;
            if target_states[x] = -1 or target_kinds[x] <> 1 then
              o := 11;
            elsif target_states[x] > 0 then
              o := 11 + target_states[x];
            else
              b := greatest(started_at, last_booked[d], last_booked[c]);
              if k = 4 and b < target_ends[x] then
                o := 15;
              elsif k <> 4 and b >= target_ends[x] then
                o := 14;
              elsif m > - h then
                o := 16;
              end if;
            end if;
          end if;
        end if;

        -- What makes new demands on the accounts.
        if o = 0 and p + h > 0 then
          if has_terms and balancing[i] > 0 then
            m := least(m,
              case when balancing[i] in (1, 3) then credits[d] - debits[d] - held_debits[d] else m end,
              case when balancing[i] in (2, 3) then debits[c] - credits[c] - held_credits[c] else m end);
            if k = 0 then p := m; else h := m; end if;
          end if;
          if closed[d] or closed[c] then
            o := 3;
          elsif asset_places[d] <> asset_places[c] then
            o := 4;
          elsif has_terms and dates[i] <= closed_through then
            o := 5;
          elsif m <= 0 then
            o := case when credits[d] - debits[d] - held_debits[d] <= 0 and balancing[i] in (1, 3) then 7 else 8 end;
          elsif m > total_max - debits[d] - held_debits[d] or m > total_max - credits[c] - held_credits[c] then
            o := 6;
          elsif caps_debits[d] and debits[d] + held_debits[d] + m > credits[d] then
            o := 7;
          elsif caps_credits[c] and credits[c] + held_credits[c] + m > debits[c] then
            o := 8;
          elsif has_terms then
            if (case when debit_normal[d] then debits[d] + p - credits[d] - held_credits[d]
                else credits[d] - debits[d] - p - held_debits[d] - h end) < min_debits[i]
              or (case when debit_normal[c] then debits[c] - credits[c] - p - held_credits[c] - h
                else credits[c] + p - debits[c] - held_debits[c] end) < min_credits[i] then
              o := 9;
            end if;
          end if;
        end if;
      end if;
      outcomes[i] := o;

      if o = 0 then
        b := greatest(started_at, last_booked[d], last_booked[c]);
        if has_links then
          booked_before_debit[i] := last_booked[d];
          booked_before_credit[i] := last_booked[c];
        end if;
        debits[d] := debits[d] + p;
        credits[c] := credits[c] + p;
        versions[d] := versions[d] + 1;
        versions[c] := versions[c] + 1;
        last_booked[d] := b;
        last_booked[c] := b;
        booked[i] := b;
        debit_versions[i] := versions[d];
        credit_versions[i] := versions[c];
        debit_account_debits[i] := debits[d];
        debit_account_credits[i] := credits[d];
        credit_account_debits[i] := debits[c];
        credit_account_credits[i] := credits[c];
        moved[i] := m;
        if has_held then
          held_debits[d] := held_debits[d] + h;
          held_credits[c] := held_credits[c] + h;
          debit_account_held_debits[i] := held_debits[d];
          debit_account_held_credits[i] := held_credits[d];
          credit_account_held_debits[i] := held_debits[c];
          credit_account_held_credits[i] := held_credits[c];
        end if;
        if has_links then
          posted[i] := p;
          held[i] := h;
        end if;
        if not is_plain then
          debit_of[i] := d;
          credit_of[i] := c;
          if x > 0 then
            target_states[x] := case k when 5 then 4 else k - 1 end;
          end if;
          x := own_target[i];
          if x > 0 then
            target_kinds[x] := k;
            target_states[x] := 0;
            target_debits[x] := d;
            target_credits[x] := c;
            target_amounts[x] := m;
            target_ends[x] := case when has_terms and timeouts[i] > 0 then b + make_interval(secs => timeouts[i]) else 'infinity' end;
          end if;
        end if;
      elsif linked[i] or chain_start < i then
        -- The chain fails as a whole: what it has done so far is undone, the last first.
        chain_failed := true;
        for j in reverse i - 1 .. chain_start loop
          d := debit_of[j];
          c := credit_of[j];
          outcomes[j] := 10;
          debits[d] := debits[d] - posted[j];
          credits[c] := credits[c] - posted[j];
          held_debits[d] := held_debits[d] - held[j];
          held_credits[c] := held_credits[c] - held[j];
          versions[d] := versions[d] - 1;
          versions[c] := versions[c] - 1;
          last_booked[d] := booked_before_debit[j];
          last_booked[c] := booked_before_credit[j];
          if not is_plain then
            if target_of[j] > 0 then
              target_states[target_of[j]] := 0;
            end if;
            if own_target[j] > 0 then
              target_states[own_target[j]] := -1;
            end if;
          end if;
        end loop;
      end if;
    end if;
    if not linked[i] then
      chain_start := i + 1;
      chain_failed := false;
    end if;
  end loop;

  -- One statement for what took effect and what did not: with one for each, two transactions could wait for ids of each other's.
  insert into ledger.transfers (tenant_id, id, kind, target_id, debit_account_id, credit_account_id, amount, debit_version,
    credit_version, debit_account_debits, debit_account_credits, credit_account_debits, credit_account_credits,
    debit_account_held_debits, debit_account_held_credits, credit_account_held_debits, credit_account_held_credits, booked_at,
    effective_date, expires_at, asset, metadata, terms, refusal, actor)
  select tenant, i.id, i.kind, i.target_id,
    case i.outcome when 0 then all_ids[i.debit_place] else account_ids[i.asked_debit_place] end,
    case i.outcome when 0 then all_ids[i.credit_place] else account_ids[i.asked_credit_place] end,
    case i.outcome when 0 then i.moved else nullif(i.amount, 0) end,
    case i.outcome when 0 then i.debit_version end, case i.outcome when 0 then i.credit_version end,
    case i.outcome when 0 then i.debit_account_debits end, case i.outcome when 0 then i.debit_account_credits end,
    case i.outcome when 0 then i.credit_account_debits end, case i.outcome when 0 then i.credit_account_credits end,
    case i.outcome when 0 then nullif(i.debit_account_held_debits, 0) end,
    case i.outcome when 0 then nullif(i.debit_account_held_credits, 0) end,
    case i.outcome when 0 then nullif(i.credit_account_held_debits, 0) end,
    case i.outcome when 0 then nullif(i.credit_account_held_credits, 0) end,
    case i.outcome when 0 then i.booked_at end,
    case i.outcome when 0 then coalesce((i.terms->>'effective_date')::date, (i.booked_at at time zone 'utc')::date) end,
    case i.outcome when 0 then i.booked_at + make_interval(secs => (i.terms->>'timeout_seconds')::int) end,
    case i.outcome when 0 then asset_names[asset_places[i.debit_place]] end,
    i.metadata, i.terms, codes[nullif(i.outcome, 0)], case when i.outcome > 0 then actors[i.grant_place] end
  from unnest(ids, kinds, target_ids, debit_of, credit_of, debit_places, credit_places, amounts, moved, debit_versions,
      credit_versions, debit_account_debits, debit_account_credits, credit_account_debits, credit_account_credits,
      debit_account_held_debits, debit_account_held_credits, credit_account_held_debits, credit_account_held_credits, booked,
      metadatas, terms, grant_of, outcomes)
    i (id, kind, target_id, debit_place, credit_place, asked_debit_place, asked_credit_place, amount, moved, debit_version,
      credit_version, debit_account_debits, debit_account_credits, credit_account_debits, credit_account_credits,
      debit_account_held_debits, debit_account_held_credits, credit_account_held_debits, credit_account_held_credits, booked_at,
      metadata, terms, grant_place, outcome)
  -- Refusals of the sweeper are nobody's to remember: it comes again.
  where i.outcome = 0 or (i.outcome > 0 and i.kind <> 'expiry')
  order by i.id
  on conflict (tenant_id, id) do nothing;
  get diagnostics written = row_count;
  if written < (
      select count(*) from unnest(kinds, outcomes) i (kind, outcome)
      where i.outcome = 0 or (i.outcome > 0 and i.kind <> 'expiry')) then
    raise exception 'an id was used meanwhile' using errcode = '40001';
  end if;

  perform ledger.write_totals(rows_at, versions, debits, credits, held_debits, held_credits, last_booked);

  if not is_plain then
    perform ledger.drop_timeouts(array(
      select l.row_at
      from unnest(target_ids, outcomes) u (target_id, outcome)
      cross join lateral (
        select t.ctid as row_at from ledger.timeouts t
        where t.tenant_id = tenant and t.hold_id = u.target_id
        limit 1) l
      where u.outcome = 0));
    if has_terms then
      insert into ledger.timeouts (tenant_id, hold_id, expires_at)
      select tenant, i.id, i.booked_at + make_interval(secs => (i.terms->>'timeout_seconds')::int)
      from unnest(ids, own_target, booked, terms, outcomes) i (id, own_target, booked_at, terms, outcome)
      where i.outcome = 0 and i.terms ? 'timeout_seconds'
        -- Some have ended in this very call.
        and not coalesce(target_states[nullif(i.own_target, 0)] > 0, false);
    end if;
  end if;

  -- A hold and what ends it are one stream, and so are a transfer and its reversal. What was posted of a hold stands in the
  -- stream of the hold, so its reversal is the first in its own.
  perform events.append(
    array_agg(i.event_id order by i.place),
    array_agg(case i.kind
      when 'transfer' then 'ledger.transfer.posted'
      when 'hold' then 'ledger.hold.placed'
      when 'post' then 'ledger.hold.posted'
      when 'void' then 'ledger.hold.voided'
      when 'expiry' then 'ledger.hold.expired'
      else 'ledger.transfer.reversed'
    end order by i.place),
    array_agg(1),
    array_agg(case when i.kind in ('transfer', 'reversal') then 'ledger.transfer' else 'ledger.hold' end order by i.place),
    array_agg(coalesce(i.target_id, i.id) order by i.place),
    array_agg(case when i.target_id is null or t.kind = 'post' then 1 else 2 end::bigint order by i.place),
    array_agg(jsonb_build_object(
      'debitAccountId', all_ids[i.debit_place], 'creditAccountId', all_ids[i.credit_place],
      'asset', asset_names[asset_places[i.debit_place]], 'amount', i.amount::text, 'debitVersion', i.debit_version::text,
      'creditVersion', i.credit_version::text,
      'bookedAt', to_char(i.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) || case
        when i.target_id is null and i.terms is null then '{}'
        else jsonb_strip_nulls(jsonb_build_object(
          'transferId', case when i.target_id is not null then i.id end, 'reversedId', case i.kind when 'reversal' then i.target_id end,
          'effectiveDate', i.terms->>'effective_date',
          'expiresAt', to_char((i.booked_at + make_interval(secs => (i.terms->>'timeout_seconds')::int)) at time zone 'utc',
            'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))
      end order by i.place),
    array_agg(i.correlation_id order by i.place), array_agg(i.causation_id order by i.place),
    array_agg(i.traceparent order by i.place), grants, array_agg(i.grant_place order by i.place))
  from unnest(event_ids, ids, kinds, target_ids, debit_of, credit_of, moved, debit_versions, credit_versions, booked,
      terms, correlation_ids, causation_ids, traceparents, grant_of, outcomes)
    with ordinality i (event_id, id, kind, target_id, debit_place, credit_place, amount, debit_version, credit_version,
      booked_at, terms, correlation_id, causation_id, traceparent, grant_place, outcome, place)
  left join lateral (
    select t.kind from ledger.transfers t
    where i.target_id is not null and t.tenant_id = tenant and t.id = i.target_id
    limit 1) t on true
  where i.outcome = 0
  having count(*) > 0;

  if 0 < any (outcomes) then
    return query
    select i.place::int, codes[i.outcome], false, i.id, null::uuid, null::uuid, null::text, null::bigint, null::bigint,
      null::bigint, null::text, null::text, null::text
    from unnest(ids, outcomes) with ordinality i (id, outcome, place)
    where i.outcome > 0;
  end if;
  if true = any (detailed) then
    return query
    select i.place::int, 'created', false, i.id, all_ids[i.debit_place], all_ids[i.credit_place],
      asset_names[asset_places[i.debit_place]], i.amount, i.debit_version, i.credit_version,
      to_char(i.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      coalesce((i.terms->>'effective_date')::date, (i.booked_at at time zone 'utc')::date)::text,
      to_char((i.booked_at + make_interval(secs => (i.terms->>'timeout_seconds')::int)) at time zone 'utc',
        'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    from unnest(ids, detailed, moved, debit_versions, credit_versions, booked, debit_of, credit_of, terms, outcomes)
      with ordinality i (id, is_detailed, amount, debit_version, credit_version, booked_at, debit_place, credit_place, terms,
        outcome, place)
    where i.outcome = 0 and i.is_detailed;
  end if;
  if false = any (fresh) then
    return query
    select r.place, r.result, r.replayed, r.id, r.debit_account_id, r.credit_account_id, r.asset, r.amount, r.debit_version,
      r.credit_version, r.booked_at, r.effective_date, r.expires_at
    from ledger.replay_items(tenant, fresh, keys_fresh, ids, ids_given, idempotency_keys, kinds, target_ids,
      account_ids, debit_places, credit_places, amounts, metadatas, terms) r;
    get diagnostics written = row_count;
    if written < cardinality(array_positions(fresh, false)) then
      raise exception 'a known item has left no transfer'; -- Without a row it would count as created.
    end if;
  end if;
end $$;

-- What the release before calls.
create function ledger.post_batch(
  ids uuid[], ids_given boolean[], idempotency_keys uuid[], debit_account_ids uuid[], credit_account_ids uuid[],
  amounts bigint[], metadatas jsonb[], event_ids uuid[], correlation_ids text[], causation_ids text[], traceparents text[],
  grants text[], grant_of int[]
) returns table (
  place int, result text, replayed boolean, id uuid, asset text, debit_version bigint, credit_version bigint, booked_at text)
language sql volatile set search_path = pg_catalog, pg_temp as $$
  select r.place, r.result, r.replayed, r.id, r.asset, r.debit_version, r.credit_version, r.booked_at
  from (
    select array(select unnest(debit_account_ids) union select unnest(credit_account_ids) order by 1) as account_ids) a
  cross join ledger.post_items(ids, ids_given, idempotency_keys, array_fill('transfer'::text, array[cardinality(ids)]),
    array_fill(null::uuid, array[cardinality(ids)]), a.account_ids,
    array(select array_position(a.account_ids, i.id) from unnest(debit_account_ids) with ordinality i (id, place) order by i.place),
    array(select array_position(a.account_ids, i.id) from unnest(credit_account_ids) with ordinality i (id, place) order by i.place),
    amounts, metadatas,
    array_fill(null::jsonb, array[cardinality(ids)]), array_fill(false, array[cardinality(ids)]),
    array_fill(true, array[cardinality(ids)]), event_ids, correlation_ids, causation_ids, traceparents, grants, grant_of) r
$$;

grant execute on function
  ledger.clock(),
  ledger.write_totals(tid[], bigint[], bigint[], bigint[], bigint[], bigint[], timestamptz[]),
  ledger.drop_timeouts(tid[]),
  ledger.request_text(text, uuid, uuid, uuid, bigint, jsonb, jsonb),
  ledger.replay_items(uuid, boolean[], boolean[], uuid[], boolean[], uuid[], text[], uuid[], uuid[], int[], int[], bigint[],
    jsonb[], jsonb[]),
  ledger.post_items(uuid[], boolean[], uuid[], text[], uuid[], uuid[], int[], int[], bigint[], jsonb[], jsonb[], boolean[],
    boolean[], uuid[], text[], text[], text[], text[], int[]),
  ledger.post_batch(uuid[], boolean[], uuid[], uuid[], uuid[], bigint[], jsonb[], uuid[], text[], text[], text[],
    text[], int[])
  to holdfast_app;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 lists it otherwise, and may start again during the update',
  'ledger', clock_timestamp() + interval '30 days'
from unnest(array[
  'ledger.accounts', 'ledger.attempts', 'ledger.books', 'ledger.clock', 'ledger.drop_timeouts', 'ledger.keys', 'ledger.post_items',
  'ledger.request_text', 'ledger.timeouts', 'ledger.write_totals']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
