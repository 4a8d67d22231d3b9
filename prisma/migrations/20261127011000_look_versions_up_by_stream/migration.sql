-- Looks for the version before an event by the stream, also where a session has planned for an empty log. One plan is kept for all
-- transactions of a session (20261127010700_cheapen_appending), and for an empty table any index that begins with the tenant looks as good:
-- until the first ANALYZE, an append read all events of the tenant.
--
-- Safe under load: replaces a function, which answers and refuses as before.
set local role holdfast_owner;

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
