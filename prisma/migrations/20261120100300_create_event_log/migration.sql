-- The event log: outbox, event store and audit trail in one append-only table.
--
-- Rows enter only through `events.append`, which draws `seq` and stamps xid, tenant and actor itself. Its owner,
-- `holdfast_log`, holds the one INSERT policy; no role may update or delete. Callers hold a lock on the event's key (an
-- account, an aggregate's row) from before they append until they commit; then seq order is real order per key.
-- Safe under load: creates only.
set local role holdfast_owner;

create schema events;
grant usage on schema events to holdfast_app, holdfast_relay, holdfast_sealer, holdfast_ops, holdfast_log;

create table events.log (
  seq bigint generated always as identity (sequence name events.log_seq cache 1),
  xid xid8 not null,
  tenant_id uuid not null,
  id uuid not null,
  stream_type text not null,
  stream_id uuid not null,
  stream_version bigint not null check (stream_version >= 1),
  type text not null,
  schema_version int not null check (schema_version >= 1),
  actor text not null,
  correlation_id text not null,
  causation_id text,
  traceparent text,
  occurred_at timestamptz not null,
  data jsonb not null,
  -- Ids are UUIDv7, so this key also serves the audit trail, newest first.
  primary key (tenant_id, id),
  -- Optimistic concurrency; and a gap in the versions shows that an event was taken away.
  unique (tenant_id, stream_type, stream_id, stream_version)
);
-- The sequencer reads what became visible between two snapshots; a tenant's consumers read the same for one tenant.
create index log_xid_idx on events.log (xid);
create index log_tenant_id_xid_idx on events.log (tenant_id, xid);

select tenancy.protect('events.log', readers => '{holdfast_relay,holdfast_sealer}');
create policy holdfast_log_appends on events.log as permissive for insert to holdfast_log
  with check (tenant_id = (select tenancy.tenant_id()));
grant select on events.log to holdfast_app, holdfast_relay, holdfast_sealer, holdfast_ops;
grant insert on events.log to holdfast_log;

-- Appends events in the order of the arrays. All arrays have the length of `ids`. `grants` are distinct signed grants of
-- the transaction's tenant and `grant_of[i]` is the place of event i's in it; without them every event is by the
-- transaction's own actor. Raises 23505 on log_tenant_id_stream_type_stream_id_stream_version_key when another writer
-- appended that version first.
create function events.append(
  ids uuid[], types text[], schema_versions int[], stream_types text[], stream_ids uuid[], stream_versions bigint[],
  payloads jsonb[], correlation_ids text[], causation_ids text[], traceparents text[],
  grants text[] default null, grant_of int[] default null
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.tenant_id();
  own_actor text := case when grants is null then tenancy.actor() end;
  actors text[] := (select array_agg(tenancy.grant_actor(g.signed) order by g.place)
                    from unnest(grants) with ordinality g (signed, place));
begin
  insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor,
    correlation_id, causation_id, traceparent, occurred_at, data)
  select pg_current_xact_id(), tenant, e.id, e.stream_type, e.stream_id, e.stream_version, e.type, e.schema_version,
    coalesce(own_actor, actors[grant_of[e.place]]), e.correlation_id, e.causation_id, e.traceparent,
    clock_timestamp(), e.payload
  from unnest(ids, types, schema_versions, stream_types, stream_ids, stream_versions, payloads, correlation_ids,
      causation_ids, traceparents)
    with ordinality e (id, type, schema_version, stream_type, stream_id, stream_version, payload, correlation_id,
      causation_id, traceparent, place)
  order by e.place;
end $$;
grant usage on schema tenancy to holdfast_log;
grant create on schema events to holdfast_log;
alter function events.append(uuid[], text[], int[], text[], uuid[], bigint[], jsonb[], text[], text[], text[], text[], int[])
  owner to holdfast_log;
revoke create on schema events from holdfast_log;
revoke execute on function events.append(uuid[], text[], int[], text[], uuid[], bigint[], jsonb[], text[], text[], text[], text[], int[])
  from public;
grant execute on function events.append(uuid[], text[], int[], text[], uuid[], bigint[], jsonb[], text[], text[], text[], text[], int[])
  to holdfast_app, holdfast_ops;

insert into tenancy.exemptions (rule, object, reason, owner) values
  (10, 'events.append', 'the only way into the log; owned by holdfast_log, which may do nothing else', 'events'),
  (4, 'events.log holdfast_log_appends', 'lets events.append insert for the transaction''s own tenant', 'events');
