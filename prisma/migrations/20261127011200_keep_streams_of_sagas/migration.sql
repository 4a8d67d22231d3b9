-- Keeps the streams of sagas, of their steps in other tenants and of payments from every grant but that of the module whose they are, as
-- their rows are kept. A statement injected into a request of the tenant could else append the event of the version that comes next, or
-- count a row's version up and append nothing: every move behind that was refused for its version, for ever, and what was held for it
-- stayed held.
--
-- The engine goes by its rows; so a row and its stream are never apart. `events.append` takes an event of these streams from the module, and
-- from others those by which tenants begin, cancel and resume, if the row has got so far. At the commit, a row that is begun, or has got
-- further, has its event in the same transaction. And whoever steers a saga changes no more of its row than steering does.
--
-- A saga whose row and stream are apart from before counts as one that waits for an operator, and steering brings them together.
--
-- Appending is made cheaper as well. What costs is not the rows but what PostgreSQL prepares for each query of the function: those that the
-- usual append does not need are not run, and none is planned anew. The look for the version before was, in every transaction, since its plan
-- for arrays of a known length looked cheaper than the general one; it is ordered by version, which only the stream's unique key can serve: on
-- an empty log, for which one plan is kept, any index that begins with the tenant looks as good, and reads all that the tenant has.
--
-- Safe under load: functions, and triggers on tables whose locks are taken for a moment. Appending to other streams costs one comparison of
-- arrays more. The release before writes the same, in the same order, under the same grants.
set local role holdfast_owner;

-- Raises HF003 where one of the events is another's to tell. With the rights of the owner, since events.append sees no
-- table but the log.
create function tenancy.refuse_strangers(
  tenant uuid, types text[], stream_types text[], stream_ids uuid[], stream_versions bigint[], actors text[], grant_of int[]
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  strange text;
begin
  select format('%s/%s %s', e.stream_type, e.stream_id, e.stream_version) into strange
  from unnest(types, stream_types, stream_ids, stream_versions) with ordinality
    e (type, stream_type, stream_id, stream_version, place)
  cross join lateral (select actors[coalesce(grant_of[e.place], 1)] as actor) teller
  where case e.stream_type
      when 'sagas.saga' then not exists (
        -- In the order of ids, so that the primary key leads to it, whatever was known about the size of the table.
        select from (
          select f.id, f.name, f.version from sagas.sagas f
          where f.tenant_id = tenant and f.id >= e.stream_id
          order by f.id
          limit 1) s
        where s.id = e.stream_id and s.version >= e.stream_version
          and (teller.actor = 'system:' || split_part(s.name, '.', 1)
            or e.type in ('sagas.saga.started', 'sagas.saga.cancel_requested', 'sagas.saga.retried')))
      when 'sagas.participation' then not exists (
        select from sagas.participations p
        where p.tenant_id = tenant and p.id = e.stream_id and p.version >= e.stream_version
          and teller.actor = 'system:' || split_part(p.name, '.', 1))
      when 'payments.payment' then
        teller.actor <> 'system:payments' and (e.type, e.stream_version) <> ('payments.payment.requested', 1)
    end
  limit 1;
  if strange is not null then
    raise exception 'only its module tells of %', strange using errcode = 'HF003';
  end if;
end $$;
revoke execute on function tenancy.refuse_strangers from public;
grant execute on function tenancy.refuse_strangers to holdfast_log;

-- Appends events in the order of the arrays, all under the grant of the transaction or each under one of `grants`, and holds their versions
-- to be contiguous: raises HF031 where one above 1 has none before it. See 20261126220700_record_changes.
create or replace function events.append(
  ids uuid[], types text[], schema_versions int[], stream_types text[], stream_ids uuid[], stream_versions bigint[],
  payloads jsonb[], correlation_ids text[], causation_ids text[], traceparents text[],
  grants text[] default null, grant_of int[] default null
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  tenant uuid := tenancy.tenant_id();
  -- As tenancy.verified_principal() says, of the context that has just been verified.
  principal text := substr(current_setting('holdfast.context'), 121);
  actors text[] := array[split_part(principal, '|', 1)];
  acts text[] := array[nullif(split_part(principal, '|', 4), '')];
  late text;
begin
  if grants is not null then
    select array_agg(split_part(p.principal, '|', 1) order by g.place), array_agg(nullif(split_part(p.principal, '|', 4), '') order by g.place)
    into actors, acts
    from unnest(grants) with ordinality g (signed, place)
    cross join lateral tenancy.grant_principal(g.signed) p (principal);
  end if;
  -- A megabyte is what a request may have; readers, the sealer among them, make text of each. Elements of an array that is an
  -- argument are not compressed.
  if pg_column_size(payloads) > 1048576
       and exists (select from unnest(payloads) p (payload) where pg_column_size(p.payload) > 1048576)
     or pg_column_size(types) + pg_column_size(stream_types) + pg_column_size(correlation_ids) + pg_column_size(causation_ids)
       + pg_column_size(traceparents) > 65536 + 1024 * cardinality(ids) then
    raise exception 'an event is larger than a megabyte' using errcode = '22001';
  end if;
  -- Streams by which the system goes on with what it has begun.
  if stream_types && '{payments.payment,sagas.participation,sagas.saga}' then
    perform tenancy.refuse_strangers(tenant, types, stream_types, stream_ids, stream_versions, actors, grant_of);
  end if;
  insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor, act,
    correlation_id, causation_id, traceparent, occurred_at, data)
  select pg_current_xact_id(), tenant, e.id, e.stream_type, e.stream_id, e.stream_version, e.type, e.schema_version,
    actors[coalesce(grant_of[e.place], 1)], acts[coalesce(grant_of[e.place], 1)], e.correlation_id, e.causation_id,
    e.traceparent, clock_timestamp(), e.payload
  from unnest(ids, types, schema_versions, stream_types, stream_ids, stream_versions, payloads, correlation_ids,
      causation_ids, traceparents)
    with ordinality e (id, type, schema_version, stream_type, stream_id, stream_version, payload, correlation_id,
      causation_id, traceparent, place)
  order by e.place;
  if 1 < any (stream_versions) then
    -- The newest before each: what is in order is found by the unique key, whatever was known about the size of the log.
    select format('%s/%s %s', e.stream_type, e.stream_id, e.stream_version) into late
    from unnest(stream_types, stream_ids, stream_versions) e (stream_type, stream_id, stream_version)
    left join lateral (
      select l.stream_version from events.log l
      where l.tenant_id = tenant and l.stream_type = e.stream_type and l.stream_id = e.stream_id
        and l.stream_version < e.stream_version
      order by l.stream_version desc
      limit 1) before on true
    where e.stream_version > 1 and before.stream_version is distinct from e.stream_version - 1
    limit 1;
    if late is not null then
      raise exception 'no version before % was announced', late using errcode = 'HF031';
    end if;
  end if;
end $$;

-- Raises HF030 where the transaction has not announced this version of this stream.
create function tenancy.refuse_unannounced(tenant uuid, kind text, stream uuid, version bigint, change text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
begin
  if not exists (
      select from (
        -- The newest up to it, which is found by the unique key, whatever was known about the size of the log.
        select e.xid, e.stream_version from events.log e
        where e.tenant_id = tenant and e.stream_type = kind and e.stream_id = stream and e.stream_version <= version
        order by e.stream_version desc
        limit 1) told
      where told.stream_version = version and told.xid = pg_current_xact_id()) then
    raise exception '% was not announced as version % of its stream', change, version using errcode = 'HF030';
  end if;
end $$;
grant create on schema tenancy to holdfast_log;
alter function tenancy.refuse_unannounced(uuid, text, uuid, bigint, text) owner to holdfast_log;
revoke create on schema tenancy from holdfast_log;
revoke execute on function tenancy.refuse_unannounced(uuid, text, uuid, bigint, text) from public;
grant execute on function tenancy.refuse_unannounced(uuid, text, uuid, bigint, text) to holdfast_owner;

-- A second argument is the type of the stream whose version the row counts; such a row has its tenant in tenant_id.
create or replace function tenancy.require_event() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  change constant text := format('%s of %s.%s', lower(tg_op), tg_table_schema, tg_table_name);
begin
  if tg_nargs = 0 then
    perform tenancy.refuse_unannounced(coalesce(new.tenant_id, old.tenant_id), change);
  elsif tg_nargs = 1 then
    perform tenancy.refuse_unannounced((to_jsonb(coalesce(new, old))->>tg_argv[0])::uuid, change);
  else
    perform tenancy.refuse_unannounced(new.tenant_id, tg_argv[1], new.id, new.version, change);
  end if;
  return null;
end $$;

drop trigger recorded_insert on sagas.sagas;
create constraint trigger recorded_insert after insert on sagas.sagas deferrable initially deferred for each row
  when (current_user <> 'holdfast_owner' and current_setting('is_superuser') = 'off')
  execute function tenancy.require_event('tenant_id', 'sagas.saga');
drop trigger recorded_update on sagas.sagas;
create constraint trigger recorded_update after update on sagas.sagas deferrable initially deferred for each row
  when (current_user <> 'holdfast_owner' and current_setting('is_superuser') = 'off'
    and (new.state, new.backward, new.place, new.cancel_requested, new.results, new.reason, new.version)
      is distinct from (old.state, old.backward, old.place, old.cancel_requested, old.results, old.reason, old.version))
  execute function tenancy.require_event('tenant_id', 'sagas.saga');
drop trigger recorded_insert on payments.payments;
create constraint trigger recorded_insert after insert on payments.payments deferrable initially deferred for each row
  when (current_user <> 'holdfast_owner' and current_setting('is_superuser') = 'off')
  execute function tenancy.require_event('tenant_id', 'payments.payment');

-- Of a payment that is asked for, the first event tells.
drop trigger kept_insert on payments.payments;
create trigger kept_insert before insert on payments.payments for each row
  when (current_user = 'holdfast_app' and (new.direction, new.status, new.hold_id is null, new.posted_at is null, new.version)
    <> ('outgoing', 'pending', true, true, 1))
  execute function tenancy.require_system('payments');

create or replace function sagas.keep_places() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  actor constant text := tenancy.actor();
  steered constant text[] := '{state,version,attempts,cancel_requested,due_at,lease_until,step_deadline_at}';
begin
  -- A lease is 90 seconds from when it was written; the rest is for a clock that is set back meanwhile.
  if exists (
      select from moved m
      where 'system:' || split_part(m.name, '.', 1) <> actor or m.lease_until > clock_timestamp() + interval '2 minutes') then
    -- One by itself, so that a move is not the dearer for it.
    if exists (
        select from moved m
        join were w on w.id = m.id
        cross join lateral (
          select coalesce(max(e.stream_version), 0) as newest
          from events.log e
          where e.tenant_id = m.tenant_id and e.stream_type = 'sagas.saga' and e.stream_id = m.id) l
        cross join lateral (
          select w.state = 'needs_operator' or w.version <> l.newest
            or coalesce(w.lease_until > statement_timestamp() + interval '90 seconds', false)
            or coalesce(w.due_at = 'infinity', false) as stood) s
        where not (to_jsonb(m) - steered = to_jsonb(w) - steered
          and (m.state = w.state
            or w.state = 'needs_operator' and m.state = case when w.backward then 'compensating' else 'running' end)
          and m.cancel_requested >= w.cancel_requested
          and m.version between l.newest and l.newest + s.stood::int + (m.cancel_requested > w.cancel_requested)::int
          and (m.attempts = w.attempts or s.stood and m.attempts = 0)
          and (m.step_deadline_at is not distinct from w.step_deadline_at or s.stood and m.step_deadline_at is null)
          and (m.lease_until is not distinct from w.lease_until or s.stood and m.lease_until is null)
          and (m.due_at is not distinct from w.due_at or m.due_at between transaction_timestamp() and clock_timestamp()))) then
      raise exception 'only its module moves a saga' using errcode = 'HF003';
    end if;
  end if;
  return null;
end $$;

create or replace function sagas.keep_beginnings() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- Who the grant names is asked only where one has moved. A request's id beyond what a log can index would have every move refused.
  if exists (
      select from begun b
      where case when (b.state, b.backward, b.place, b.intended, b.results, b.version, b.attempts, b.cancel_requested)
            <> ('running', false, 0, false, '{}', 1, 0, false)
          or b.fence not in (0, 1) or b.due_at > clock_timestamp() or b.lease_until > clock_timestamp() + interval '2 minutes'
          or length(b.correlation_id) > 255 or length(b.traceparent) > 255
        then 'system:' || split_part(b.name, '.', 1) <> (select tenancy.actor()) end) then
    raise exception 'only its module moves a saga' using errcode = 'HF003';
  end if;
  return null;
end $$;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, 'tenancy.refuse_strangers', 'the release before 28 November 2026 does not list it, and may start again during the update',
  'sagas', clock_timestamp() + interval '30 days'
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
