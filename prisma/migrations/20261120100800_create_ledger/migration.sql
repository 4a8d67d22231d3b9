-- The ledger: accounts, transfers, and the one function that moves money.
--
-- A transfer debits one account and credits another; an account is one row that carries its totals, so a limit is decided
-- by reading two rows under their locks. Money moves only through `ledger.post_batch`, whose promises are written above
-- it; the constraints below are the last line of defence and hold whatever code runs. Safe under load: creates only.
set local role holdfast_owner;

create schema ledger;
grant usage on schema ledger to holdfast_app, holdfast_ops;

-- Half of each page stays free and no changing column is indexed: an update then writes its new row beside the old one
-- and touches no index (a heap-only tuple), also when the same account moves in every batch.
create table ledger.accounts (
  tenant_id uuid not null,
  id uuid not null,
  code text not null check (length(code) between 1 and 200),
  asset text not null check (asset ~ '^[A-Z][A-Z0-9]{0,15}/([0-9]|1[0-8])$'),
  normal_balance text not null check (normal_balance in ('debit', 'credit')),
  limit_rule text not null
    check (limit_rule in ('none', 'debits_must_not_exceed_credits', 'credits_must_not_exceed_debits')),
  metadata jsonb not null default '{}',
  opened_at timestamptz not null default clock_timestamp(),
  closed_at timestamptz,
  posted_debits bigint not null default 0 check (posted_debits >= 0),
  posted_credits bigint not null default 0 check (posted_credits >= 0),
  pending_debits bigint not null default 0 check (pending_debits >= 0),
  pending_credits bigint not null default 0 check (pending_credits >= 0),
  -- Counts the entries of the account: the entry that a transfer makes has the version that it leaves behind.
  version bigint not null default 0 check (version >= 0),
  -- No entry is booked before an earlier version's, whatever the machine's clock does.
  last_booked_at timestamptz not null default '-infinity',
  primary key (tenant_id, id),
  unique (tenant_id, code),
  -- Written as subtractions, which cannot overflow.
  constraint accounts_totals_fit check (
    pending_debits <= 9223372036854775807 - posted_debits and pending_credits <= 9223372036854775807 - posted_credits),
  constraint accounts_limit_holds check (
    case limit_rule
      when 'debits_must_not_exceed_credits' then pending_debits <= posted_credits - posted_debits
      when 'credits_must_not_exceed_debits' then pending_credits <= posted_debits - posted_credits
      else true
    end)
) with (fillfactor = 50);
select tenancy.protect('ledger.accounts');
grant select, insert on ledger.accounts to holdfast_app;
grant update (posted_debits, posted_credits, pending_debits, pending_credits, version, last_booked_at, closed_at, metadata)
  on ledger.accounts to holdfast_app;
grant select on ledger.accounts to holdfast_ops;

-- One row per transfer with both legs: the versions and totals that it left on each account. Never updated.
-- No foreign keys to the accounts: `ledger.post_batch` reads both under its locks, no role but the owner may delete an
-- account or change its id, and checking each leg once more takes a fifth of the time of a batch.
create table ledger.transfers (
  tenant_id uuid not null,
  id uuid not null,
  debit_account_id uuid not null,
  credit_account_id uuid not null,
  amount bigint not null check (amount > 0),
  debit_version bigint not null check (debit_version > 0),
  credit_version bigint not null check (credit_version > 0),
  debit_account_debits bigint not null check (debit_account_debits >= amount),
  debit_account_credits bigint not null check (debit_account_credits >= 0),
  credit_account_debits bigint not null check (credit_account_debits >= 0),
  credit_account_credits bigint not null check (credit_account_credits >= amount),
  booked_at timestamptz not null,
  asset text not null,
  metadata jsonb not null,
  primary key (tenant_id, id),
  -- No version twice on a leg; and what an account's entries are read by.
  unique (tenant_id, debit_account_id, debit_version),
  unique (tenant_id, credit_account_id, credit_version),
  constraint transfers_accounts_differ check (debit_account_id <> credit_account_id)
);
-- The list of transfers, newest first: ids that clients choose tell nothing about time.
create index transfers_tenant_id_booked_at_id_idx on ledger.transfers (tenant_id, booked_at, id);
select tenancy.protect('ledger.transfers');
grant select, insert on ledger.transfers to holdfast_app;
grant select on ledger.transfers to holdfast_ops;

-- What was asked for under each id and idempotency key, and what came of it; kept for ever. A refusal stays a refusal,
-- so that a late retry of a refused transfer never moves money that arrived in the meantime.
--
-- An item has one row, by its idempotency key or else by its id, unless it comes with both a key and an id that the client
-- chose. Then one row stands for the key: it has `chosen_id`, an id of its own that nobody learns, and never a result. And
-- one stands for the chosen id, with the result. A key is thereby remembered with what came under it also when it meets an
-- id that is known under another key, and what is claimed at once is never more than one key or one id.
create table ledger.attempts (
  tenant_id uuid not null,
  id uuid not null,
  idempotency_key uuid,
  chosen_id uuid,
  debit_account_id uuid not null,
  credit_account_id uuid not null,
  amount bigint not null,
  metadata jsonb not null,
  actor text not null,
  attempted_at timestamptz not null default clock_timestamp(),
  -- Null: created. Otherwise the code of the refusal.
  result text,
  primary key (tenant_id, id),
  constraint attempts_chosen_id_has_the_result check (chosen_id is null or (idempotency_key is not null and result is null))
);
create unique index attempts_tenant_id_idempotency_key_key on ledger.attempts (tenant_id, idempotency_key)
  where idempotency_key is not null;
select tenancy.protect('ledger.attempts');
grant select, insert on ledger.attempts to holdfast_app;
grant update (result) on ledger.attempts to holdfast_app;
grant select on ledger.attempts to holdfast_ops;

-- Answers the items of a batch whose idempotency key or id was known before them: what came of the first one, if the items
-- ask for the same, and otherwise that they do not. A key counts before an id: it is reused with anything else than at
-- first, the chosen id included, and with the same it answers as at first, also when that was that an id is taken. `fresh`
-- marks the items that are first, and are left out; `keys_fresh` those whose key came first with them. Reads attempts
-- that are committed or of this transaction, which never change any more.
--
-- Lateral look-ups with a limit go through the unique keys whatever the statistics say. A case expression instead of
-- coalesce, which PostgreSQL takes for leaky and would keep above the policy: every look-up would walk the tenant.
create function ledger.replay_items(
  tenant uuid, fresh boolean[], keys_fresh boolean[], ids uuid[], ids_given boolean[], idempotency_keys uuid[],
  debit_account_ids uuid[], credit_account_ids uuid[], amounts bigint[], metadatas jsonb[]
) returns table (
  place int, result text, replayed boolean, id uuid, asset text, debit_version bigint, credit_version bigint, booked_at text)
language sql stable set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
  with matched as (
    select i.place,
      known.id,
      known.result,
      by_key.id is not null and not i.is_key_fresh as is_key_known,
      case
        when by_key.id is not null and (
            by_key.chosen_id is distinct from case when i.id_given then i.id end
            or (i.debit_account_id, i.credit_account_id, i.amount)
              <> (by_key.debit_account_id, by_key.credit_account_id, by_key.amount)
            or i.metadata <> by_key.metadata)
          then 'idempotency.key_reused'
        when i.debit_account_id <> known.debit_account_id then 'ledger.exists_with_different_debit_account_id'
        when i.credit_account_id <> known.credit_account_id then 'ledger.exists_with_different_credit_account_id'
        when i.amount <> known.amount then 'ledger.exists_with_different_amount'
        when i.metadata <> known.metadata then 'ledger.exists_with_different_metadata'
      end as mismatch
    from unnest(fresh, keys_fresh, ids, ids_given, idempotency_keys, debit_account_ids, credit_account_ids, amounts, metadatas)
      with ordinality i (is_fresh, is_key_fresh, id, id_given, idempotency_key, debit_account_id, credit_account_id, amount,
        metadata, place)
    left join lateral (
      select a.id, a.chosen_id, a.debit_account_id, a.credit_account_id, a.amount, a.metadata from ledger.attempts a
      where a.tenant_id = tenant and a.idempotency_key = i.idempotency_key
      limit 1) by_key on true
    cross join lateral (
      select a.id, a.debit_account_id, a.credit_account_id, a.amount, a.metadata, a.result from ledger.attempts a
      where a.tenant_id = tenant
        and a.id = case
          when by_key.id is null then i.id
          when by_key.chosen_id is null then by_key.id
          else by_key.chosen_id
        end
      limit 1) known
    where not i.is_fresh
  )
  select m.place::int, coalesce(m.mismatch, m.result, 'exists'),
    m.mismatch is null or (m.is_key_known and m.mismatch <> 'idempotency.key_reused'), m.id, t.asset, t.debit_version,
    t.credit_version, to_char(t.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  from matched m
  left join lateral (
    select t.asset, t.debit_version, t.credit_version, t.booked_at from ledger.transfers t
    where t.tenant_id = tenant and t.id = m.id and m.mismatch is null
    limit 1) t on true
$$;

-- Posts transfers in the order of the arrays, each seeing those before it, and answers one row per item. A refused item
-- leaves the others alone. Runs in a transaction of the tenant, as its caller: row-level security binds every statement.
--
-- Item i has ids[i] (`ids_given`: chosen by the client; otherwise made for this call, so that nobody else can know it),
-- idempotency_keys[i] or null, and the grant of its caller at
-- place grant_of[i] of `grants`, which are distinct and of the one tenant. Each grant is verified, and its actor is
-- written on the item's attempt and event. HF001 for one that is not genuine.
--
-- | result                          | when                                                                     |
-- |---------------------------------|--------------------------------------------------------------------------|
-- | created                         | posted by this call                                                      |
-- | exists                          | posted before under this id or key, with the same fields                 |
-- | ledger.accounts_must_differ     | debit and credit account are the same                                    |
-- | ledger.account_not_found        | an account that the tenant does not have                                 |
-- | ledger.account_closed           | an account that is closed                                                |
-- | ledger.asset_mismatch           | the accounts are of different assets                                     |
-- | ledger.overflow                 | a total would pass 2^63-1                                                |
-- | ledger.exceeds_credits          | debits, pending ones included, would exceed credits where they must not  |
-- | ledger.exceeds_debits           | credits, pending ones included, would exceed debits where they must not  |
-- | ledger.exists_with_different_…  | the id is known with another debit_account_id, credit_account_id, …      |
-- | idempotency.key_reused          | the key is known with another request: other fields, or another id given |
--
-- Right under concurrency, in this order, which every caller shares:
-- 1. The attempts go in first. Of two transactions with an equal key or id the second waits at the unique index until the
--    first ends, and then finds its attempt or takes its place. Keys go in first, in their order, and then, in theirs, the
--    ids of those items that have no key or chose an id under a new one. A row waits for one key or for one id, never for
--    both: ids that go in with a key are made for this call. So nobody waits in turn for who waits for him. Mostly one of
--    the two inserts has nothing to do: single transfers come with keys and without ids, batches with ids alone.
-- 2. The accounts are locked in id order in one statement, which reads them as of the lock. From here on nothing waits.
-- 3. Decisions are made in a loop over arrays without SQL inside: a read of a fixed-width element costs nanoseconds.
-- 4. Transfers, accounts, refusals and events are written by one statement each, under the locks of the accounts. Events
--    of an account therefore stand in the log in the order of its versions.
--
-- Plans live as long as their session, and the first is often made over empty tables. Without sequential and bitmap
-- scans it goes through the primary keys from the beginning, instead of reading all of a tenant until there are statistics.
create function ledger.post_batch(
  ids uuid[], ids_given boolean[], idempotency_keys uuid[], debit_account_ids uuid[], credit_account_ids uuid[],
  amounts bigint[], metadatas jsonb[], event_ids uuid[], correlation_ids text[], causation_ids text[], traceparents text[],
  grants text[], grant_of int[]
) returns table (
  place int, result text, replayed boolean, id uuid, asset text, debit_version bigint, credit_version bigint, booked_at text)
language plpgsql set search_path = pg_catalog, pg_temp set enable_seqscan = off set enable_bitmapscan = off as $$
#variable_conflict use_column
declare
  codes constant text[] := array[
    'ledger.accounts_must_differ', 'ledger.account_not_found', 'ledger.account_closed', 'ledger.asset_mismatch',
    'ledger.overflow', 'ledger.exceeds_credits', 'ledger.exceeds_debits'];
  total_max constant bigint := 9223372036854775807;
  tenant constant uuid := tenancy.tenant_id();
  n constant int := cardinality(ids);
  actors text[];
  keyed constant int := cardinality(array_remove(idempotency_keys, null));
  fresh_keys uuid[];
  fresh_ids uuid[];
  -- Per item: whether it has no key or is the first with it; whether it is the first with its key and its id.
  keys_fresh boolean[] := array_fill(true, array[n]);
  fresh boolean[];
  -- Per account, in id order.
  account_ids uuid[];
  asset_places int[];
  asset_names text[]; -- By asset_places: few, since reading the nth text of an array costs n steps.
  debits bigint[];
  credits bigint[];
  held_debits bigint[];
  held_credits bigint[];
  versions bigint[];
  last_booked timestamptz[];
  closed boolean[];
  caps_debits boolean[];
  caps_credits boolean[];
  -- Per item. Places are those of the accounts, 0 for one that is not there: an array with nulls is read from its front.
  debit_places int[];
  credit_places int[];
  outcomes smallint[] := array_fill((-1)::smallint, array[n]); -- 0: created; else the place in codes; -1: not fresh.
  debit_versions bigint[] := array_fill(0::bigint, array[n]);
  credit_versions bigint[] := debit_versions;
  debit_account_debits bigint[] := debit_versions;
  debit_account_credits bigint[] := debit_versions;
  credit_account_debits bigint[] := debit_versions;
  credit_account_credits bigint[] := debit_versions;
  booked timestamptz[] := array_fill('-infinity'::timestamptz, array[n]);
  started_at timestamptz;
  d int;
  c int;
  m bigint;
  refused boolean := false;
begin
  select array_agg(tenancy.grant_actor(g.signed) order by g.place) into actors
  from unnest(grants) with ordinality g (signed, place);

  if keyed > 0 then
    with inserted as (
      insert into ledger.attempts as a
        (tenant_id, id, idempotency_key, chosen_id, debit_account_id, credit_account_id, amount, metadata, actor)
      select tenant, case when i.id_given then gen_random_uuid() else i.id end, i.idempotency_key, case when i.id_given then i.id end,
        i.debit_account_id, i.credit_account_id, i.amount, i.metadata, actors[i.grant_place]
      from unnest(ids, ids_given, idempotency_keys, debit_account_ids, credit_account_ids, amounts, metadatas, grant_of)
        with ordinality i (id, id_given, idempotency_key, debit_account_id, credit_account_id, amount, metadata, grant_place,
          place)
      where i.idempotency_key is not null
      order by i.idempotency_key, i.place
      on conflict do nothing
      returning a.idempotency_key)
    select array_agg(f.idempotency_key) into fresh_keys from inserted f;
    if cardinality(fresh_keys) is distinct from keyed then
      -- Of equal keys in one batch the first went in.
      select array_agg(i.idempotency_key is null or first.place is not null order by i.place) into keys_fresh
      from unnest(idempotency_keys) with ordinality i (idempotency_key, place)
      left join (
        select min(i.place) as place
        from unnest(idempotency_keys) with ordinality i (idempotency_key, place)
        join unnest(fresh_keys) f (idempotency_key) on f.idempotency_key = i.idempotency_key
        group by f.idempotency_key) first on first.place = i.place;
    end if;
  end if;

  fresh := keys_fresh;
  if keyed < n or true = any (ids_given) then
    with inserted as (
      insert into ledger.attempts as a (tenant_id, id, debit_account_id, credit_account_id, amount, metadata, actor)
      select tenant, i.id, i.debit_account_id, i.credit_account_id, i.amount, i.metadata, actors[i.grant_place]
      from unnest(keys_fresh, ids, ids_given, idempotency_keys, debit_account_ids, credit_account_ids, amounts, metadatas,
          grant_of)
        with ordinality i (is_key_fresh, id, id_given, idempotency_key, debit_account_id, credit_account_id, amount, metadata,
          grant_place, place)
      where i.is_key_fresh and (i.id_given or i.idempotency_key is null)
      order by i.id, i.place
      on conflict do nothing
      returning a.id)
    select array_agg(f.id) into fresh_ids from inserted f;
    if cardinality(fresh_ids) is distinct from n then
      -- Of equal ids in one batch the first went in, too.
      select array_agg(
          i.is_key_fresh and (first.place is not null or not (i.id_given or i.idempotency_key is null)) order by i.place)
      into fresh
      from unnest(keys_fresh, ids_given, idempotency_keys) with ordinality i (is_key_fresh, id_given, idempotency_key, place)
      left join (
        select min(i.place) as place
        from unnest(keys_fresh, ids, ids_given, idempotency_keys)
          with ordinality i (is_key_fresh, id, id_given, idempotency_key, place)
        join unnest(fresh_ids) f (id) on f.id = i.id
        where i.is_key_fresh and (i.id_given or i.idempotency_key is null)
        group by f.id) first on first.place = i.place;
    end if;
  end if;

  -- One look-up after the other, as a lateral join with a limit has to be: in the order of the array, which is that of the
  -- ids, and by the primary key even before the table has statistics.
  account_ids := array(select unnest(debit_account_ids) union select unnest(credit_account_ids) order by 1);
  select array_agg(l.id order by l.id), array_agg(distinct l.asset order by l.asset), array_agg(l.asset_place order by l.id),
    array_agg(l.posted_debits order by l.id), array_agg(l.posted_credits order by l.id),
    array_agg(l.pending_debits order by l.id), array_agg(l.pending_credits order by l.id),
    array_agg(l.version order by l.id), array_agg(l.last_booked_at order by l.id),
    array_agg(l.closed_at is not null order by l.id),
    array_agg(l.limit_rule = 'debits_must_not_exceed_credits' order by l.id),
    array_agg(l.limit_rule = 'credits_must_not_exceed_debits' order by l.id)
  into account_ids, asset_names, asset_places, debits, credits, held_debits, held_credits, versions, last_booked, closed,
    caps_debits, caps_credits
  from (
    select a.id, a.asset, a.posted_debits, a.posted_credits, a.pending_debits, a.pending_credits, a.version,
      a.last_booked_at, a.closed_at, a.limit_rule, dense_rank() over (order by a.asset)::int as asset_place
    from unnest(account_ids) with ordinality i (id, place)
    cross join lateral (
      select a.id, a.asset, a.posted_debits, a.posted_credits, a.pending_debits, a.pending_credits, a.version,
        a.last_booked_at, a.closed_at, a.limit_rule
      from ledger.accounts a
      where a.tenant_id = tenant and a.id = i.id
      limit 1
      for no key update) a) l;

  select array_agg(coalesce(x.place, 0) order by i.place), array_agg(coalesce(y.place, 0) order by i.place)
  into debit_places, credit_places
  from unnest(debit_account_ids, credit_account_ids) with ordinality i (debit_account_id, credit_account_id, place)
  left join unnest(account_ids) with ordinality x (id, place) on x.id = i.debit_account_id
  left join unnest(account_ids) with ordinality y (id, place) on y.id = i.credit_account_id;

  started_at := clock_timestamp();
  for i in 1 .. n loop
    continue when not fresh[i];
    d := debit_places[i];
    c := credit_places[i];
    m := amounts[i];
    if debit_account_ids[i] = credit_account_ids[i] then
      outcomes[i] := 1;
    elsif d = 0 or c = 0 then
      outcomes[i] := 2;
    elsif closed[d] or closed[c] then
      outcomes[i] := 3;
    elsif asset_places[d] <> asset_places[c] then
      outcomes[i] := 4;
    elsif m > total_max - debits[d] - held_debits[d] or m > total_max - credits[c] - held_credits[c] then
      outcomes[i] := 5;
    elsif caps_debits[d] and debits[d] + held_debits[d] + m > credits[d] then
      outcomes[i] := 6;
    elsif caps_credits[c] and credits[c] + held_credits[c] + m > debits[c] then
      outcomes[i] := 7;
    else
      outcomes[i] := 0;
      debits[d] := debits[d] + m;
      credits[c] := credits[c] + m;
      versions[d] := versions[d] + 1;
      versions[c] := versions[c] + 1;
      last_booked[d] := greatest(started_at, last_booked[d], last_booked[c]);
      last_booked[c] := last_booked[d];
      booked[i] := last_booked[d];
      debit_versions[i] := versions[d];
      credit_versions[i] := versions[c];
      debit_account_debits[i] := debits[d];
      debit_account_credits[i] := credits[d];
      credit_account_debits[i] := debits[c];
      credit_account_credits[i] := credits[c];
      continue;
    end if;
    refused := true;
  end loop;

  insert into ledger.transfers (tenant_id, id, debit_account_id, credit_account_id, amount, debit_version, credit_version,
    debit_account_debits, debit_account_credits, credit_account_debits, credit_account_credits, booked_at, asset, metadata)
  select tenant, i.id, i.debit_account_id, i.credit_account_id, i.amount, i.debit_version, i.credit_version,
    i.debit_account_debits, i.debit_account_credits, i.credit_account_debits, i.credit_account_credits, i.booked_at,
    asset_names[asset_places[i.debit_place]], i.metadata
  from unnest(ids, debit_account_ids, credit_account_ids, amounts, debit_versions, credit_versions, debit_account_debits,
      debit_account_credits, credit_account_debits, credit_account_credits, booked, debit_places, metadatas, outcomes)
    i (id, debit_account_id, credit_account_id, amount, debit_version, credit_version, debit_account_debits,
      debit_account_credits, credit_account_debits, credit_account_credits, booked_at, debit_place, metadata, outcome)
  where i.outcome = 0;

  update ledger.accounts a
  set posted_debits = u.debits, posted_credits = u.credits, version = u.version, last_booked_at = u.last_booked_at
  from unnest(account_ids, debits, credits, versions, last_booked) u (id, debits, credits, version, last_booked_at)
  where a.tenant_id = tenant and a.id = u.id and a.version <> u.version;

  if refused then
    update ledger.attempts a
    set result = codes[u.outcome]
    from unnest(ids, outcomes) u (id, outcome)
    where a.tenant_id = tenant and a.id = u.id and u.outcome > 0;
  end if;

  perform events.append(
    array_agg(i.event_id order by i.place), array_agg('ledger.transfer.posted'::text), array_agg(1),
    array_agg('ledger.transfer'::text), array_agg(i.id order by i.place), array_agg(1::bigint),
    array_agg(jsonb_build_object(
      'debitAccountId', i.debit_account_id, 'creditAccountId', i.credit_account_id, 'asset', asset_names[asset_places[i.debit_place]],
      'amount', i.amount::text, 'debitVersion', i.debit_version::text, 'creditVersion', i.credit_version::text,
      'bookedAt', to_char(i.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) order by i.place),
    array_agg(i.correlation_id order by i.place), array_agg(i.causation_id order by i.place),
    array_agg(i.traceparent order by i.place), grants, array_agg(i.grant_place order by i.place))
  from unnest(event_ids, ids, debit_account_ids, credit_account_ids, amounts, debit_versions, credit_versions, booked,
      debit_places, correlation_ids, causation_ids, traceparents, grant_of, outcomes)
    with ordinality i (event_id, id, debit_account_id, credit_account_id, amount, debit_version, credit_version, booked_at,
      debit_place, correlation_id, causation_id, traceparent, grant_place, outcome, place)
  where i.outcome = 0
  having count(*) > 0;

  return query
  select i.place::int, coalesce(codes[i.outcome], 'created'), false, i.id,
    case when i.outcome = 0 then asset_names[asset_places[i.debit_place]] end,
    case when i.outcome = 0 then i.debit_version end,
    case when i.outcome = 0 then i.credit_version end,
    case when i.outcome = 0 then to_char(i.booked_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') end
  from unnest(ids, debit_versions, credit_versions, booked, debit_places, outcomes)
    with ordinality i (id, debit_version, credit_version, booked_at, debit_place, outcome, place)
  where i.outcome >= 0;
  if false = any (fresh) then
    return query
    select r.place, r.result, r.replayed, r.id, r.asset, r.debit_version, r.credit_version, r.booked_at
    from ledger.replay_items(tenant, fresh, keys_fresh, ids, ids_given, idempotency_keys, debit_account_ids,
      credit_account_ids, amounts, metadatas) r;
  end if;
end $$;

grant execute on function
  ledger.replay_items(uuid, boolean[], boolean[], uuid[], boolean[], uuid[], uuid[], uuid[], bigint[], jsonb[]),
  ledger.post_batch(uuid[], boolean[], uuid[], uuid[], uuid[], bigint[], jsonb[], uuid[], text[], text[], text[],
    text[], int[])
  to holdfast_app;
