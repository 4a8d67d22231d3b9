-- Accounts that a part of the system owns, such as those over which payments between tenants are cleared: only its own grant books on
-- them. A hold with a leg on such an account is thereby reserved: nobody else places, posts, voids, expires or reverses it, and what
-- the owner asks for is refused by nothing but the end that the hold has already had.
--
-- `ledger.post_items` is as it was but for that: the owners are read with the accounts under their locks, and looked at only where
-- there is one, so that other batches cost what they cost.
--
-- Safe under load: a column without a default and functions only. Of the release before, nobody owns an account so.
set local role holdfast_owner;

alter table ledger.accounts add column owner text check (owner ~ '^[a-z][a-z0-9_.-]{0,62}$');
comment on column ledger.accounts.owner is 'The part of the system that alone books on it; null: the tenant does.';

-- Opening one takes the owner's own grant, whatever code asks; nobody closes or describes it.
create function ledger.keep_owned() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    if new.owner is not null and 'system:' || new.owner <> tenancy.actor() then
      raise exception 'only % opens accounts that it owns', new.owner using errcode = 'HF003';
    end if;
  elsif (new.closed_at, new.metadata) is distinct from (old.closed_at, old.metadata) then
    raise exception 'an account that % owns is not changed', old.owner using errcode = 'HF003';
  end if;
  return new;
end $$;
revoke execute on function ledger.keep_owned() from public;
create trigger owned_insert before insert on ledger.accounts for each row
  when (new.owner is not null and current_user = 'holdfast_app') execute function ledger.keep_owned();
create trigger owned_update before update of closed_at, metadata on ledger.accounts for each row
  when (old.owner is not null and current_user = 'holdfast_app') execute function ledger.keep_owned();

-- See 20261126210000_complete_ledger for what it does and why it is right. Beside that:
--
-- | ledger.account_reserved           | a part of the system owns an account of it, and the caller is another     |
create or replace function ledger.post_items(
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
    'ledger.transfer_not_found', 'ledger.not_reversible', 'ledger.already_reversed', 'ledger.account_reserved']; -- 20
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
  owners text[];
  has_owners boolean; -- Whether an account belongs to a part of the system.
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
    array_agg(coalesce(l.owner, '') order by l.place), coalesce(bool_or(l.owner is not null), false),
    array_agg(coalesce(l.normal_balance = 'debit', false) order by l.place),
    array_agg(coalesce(l.limit_rule = 'debits_must_not_exceed_credits', false) order by l.place),
    array_agg(coalesce(l.limit_rule = 'credits_must_not_exceed_debits', false) order by l.place),
    coalesce(bool_or(l.pending_debits > 0 or l.pending_credits > 0), false) or not is_plain
  into found, rows_at, assets, asset_names, has_assets, debits, credits, held_debits, held_credits, versions, last_booked,
    closed, owners, has_owners, debit_normal, caps_debits, caps_credits, has_held
  from (
    select i.place, a.id, a.row_at, a.asset, a.posted_debits, a.posted_credits, a.pending_debits, a.pending_credits, a.version,
      a.last_booked_at, a.closed_at, a.owner, a.normal_balance, a.limit_rule
    from unnest(all_ids) with ordinality i (id, place)
    left join lateral (
      select a.id, a.ctid as row_at, a.asset, a.posted_debits, a.posted_credits, a.pending_debits, a.pending_credits, a.version,
        a.last_booked_at, a.closed_at, a.owner, a.normal_balance, a.limit_rule
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

        -- What a part of the system owns, it alone books on, ends holds on, and reverses.
        if o = 0 and has_owners and (owners[d] <> '' and 'system:' || owners[d] <> actors[grant_of[i]]
            or owners[c] <> '' and 'system:' || owners[c] <> actors[grant_of[i]]) then
          o := 20;
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
