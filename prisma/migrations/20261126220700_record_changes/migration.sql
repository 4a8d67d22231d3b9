-- Nothing unrecorded: a transaction of a process that changes a recorded table and has announced no event of the row's tenant is
-- refused at its commit (HF030). `tenancy.record` puts a table under that rule; every other tenant table has an exemption
-- from the doctor's rule 26 that says why.
--
-- A constraint trigger that is deferred to the commit looks into events.log by the transaction, whichever came first, the
-- change or its event. Each changed row queues it, so what a savepoint takes back it takes back with it, and there is no
-- mark that a statement could forge. Of tables that are written in batches each statement queues it once: an insert and a
-- delete of a row of tenancy.changes, which nobody but the owner may touch, queue the trigger of that table.
--
-- The owner is not asked: its migrations are reviewed, and the functions that run as it and write recorded tables are those
-- that read an export in and that erase a tenant (a test names them). Nor is a superuser, whom no trigger binds: what
-- one changes is found by `holdfast audit fold`.
--
-- Safe under load: creating a trigger waits for the writers of its table, and they for it, for a moment.
set local role holdfast_owner;

-- Raises HF030 where the transaction has announced nothing of the tenant. Sees every event of it: events.append stamps them with its id. As
-- holdfast_log, whom a policy lets read the whole log: row-level security would have each look-up walk the tenant's events,
-- since the equality of xid8 is not leakproof. The barrier and the setting keep it on the index of transactions, whatever the
-- statistics say: of a log that is nearly empty others cost as little, and a session keeps its plan.
create function tenancy.refuse_unannounced(tenant uuid, change text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
begin
  if not exists (
      select from (select e.tenant_id from events.log e where e.xid = pg_current_xact_id() offset 0) own
      where own.tenant_id = tenant) then
    raise exception '% was not announced', change using errcode = 'HF030';
  end if;
end $$;
grant create on schema tenancy to holdfast_log;
alter function tenancy.refuse_unannounced(uuid, text) owner to holdfast_log;
revoke create on schema tenancy from holdfast_log;
revoke execute on function tenancy.refuse_unannounced(uuid, text) from public;
grant execute on function tenancy.refuse_unannounced(uuid, text) to holdfast_owner;
create policy holdfast_log_looks on events.log as permissive for select to holdfast_log using (true);
grant select on events.log to holdfast_log;
insert into tenancy.exemptions (rule, object, reason, owner) values
  (4, 'events.log holdfast_log_looks', 'lets the check at the commit, and that of versions, look into the log; nobody connects as it', 'events');

-- Runs at the commit, for a row. The trigger's argument is the column of the tenant, where that is another than tenant_id.
create function tenancy.require_event() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid;
begin
  if tg_nargs = 0 then
    tenant := coalesce(new.tenant_id, old.tenant_id);
  else
    tenant := (to_jsonb(coalesce(new, old))->>tg_argv[0])::uuid;
  end if;
  perform tenancy.refuse_unannounced(tenant, format('%s of %s.%s', lower(tg_op), tg_table_schema, tg_table_name));
  return null;
end $$;
revoke execute on function tenancy.require_event() from public;

-- Statements that have changed rows of a table that is written in batches. A row is gone as soon as it is there: it queues the
-- trigger. Unlogged, since nothing is ever read from it.
create unlogged table tenancy.changes (tenant uuid not null, change text not null)
  with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
create function tenancy.require_event_of_statement() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform tenancy.refuse_unannounced(new.tenant, new.change);
  return null;
end $$;
revoke execute on function tenancy.require_event_of_statement() from public;
create constraint trigger recorded after insert on tenancy.changes deferrable initially deferred for each row
  execute function tenancy.require_event_of_statement();

-- Behind a statement that has changed rows; one that has changed none asks for nothing. Rows of a statement are of one tenant.
create function tenancy.note_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := (select c.tenant_id from changed c limit 1);
  place tid;
begin
  if tenant is not null then
    insert into tenancy.changes (tenant, change)
    values (tenant, format('%s of %s.%s', lower(tg_op), tg_table_schema, tg_table_name))
    returning ctid into place;
    delete from tenancy.changes c where c.ctid = place;
  end if;
  return null;
end $$;
revoke execute on function tenancy.note_changes() from public;

-- The same for transfers: a refusal moves nothing, and is kept so that a late retry is refused as well.
create function tenancy.note_transfers() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := (select c.tenant_id from changed c where c.refusal is null limit 1);
  place tid;
begin
  if tenant is not null then
    insert into tenancy.changes (tenant, change) values (tenant, lower(tg_op) || ' of ledger.transfers') returning ctid into place;
    delete from tenancy.changes c where c.ctid = place;
  end if;
  return null;
end $$;
revoke execute on function tenancy.note_transfers() from public;

-- Records a table: its changes have to be announced. The conditions over `new`, `old` and `new`, and `old` are for tables of
-- which not every change is one that events tell of. `asked` says who is: of tables that functions of the owner write for the
-- application, whoever is connected, and not whose rights it has.
create function tenancy.record(
  target regclass, only_inserts text default 'true', only_updates text default 'true', only_deletes text default 'true',
  asked text default 'current_user <> ''holdfast_owner''', tenant_column text default 'tenant_id'
) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  change record;
begin
  for change in
    select c.name, c.condition
    from (values ('insert', only_inserts), ('update', only_updates), ('delete', only_deletes)) c (name, condition)
    where c.condition <> 'false'
  loop
    execute format(
      'create constraint trigger recorded_%1$s after %1$s on %2$s deferrable initially deferred for each row
       when (%3$s and current_setting(''is_superuser'') = ''off'' and (%4$s))
       execute function tenancy.require_event(%5$s)', change.name, target, asked, change.condition,
      case when tenant_column <> 'tenant_id' then quote_literal(tenant_column) end);
  end loop;
end $$;
revoke execute on function tenancy.record(regclass, text, text, text, text, text) from public;

-- The same for a table that is written in batches, by statements and not by rows.
create function tenancy.record_batches(target regclass, noted_by regprocedure default 'tenancy.note_changes()') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  change record;
begin
  for change in select c.name, c.side from (values ('insert', 'new'), ('update', 'new'), ('delete', 'old')) c (name, side) loop
    execute format(
      'create trigger recorded_%1$s after %1$s on %2$s referencing %3$s table as changed for each statement
       when (current_user <> ''holdfast_owner'' and current_setting(''is_superuser'') = ''off'')
       execute function %4$s', change.name, target, change.side, noted_by);
  end loop;
end $$;
revoke execute on function tenancy.record_batches(regclass, regprocedure) from public;

-- Appends events in the order of the arrays, as before, and holds their versions to be contiguous: raises HF031 where one
-- above 1 has none before it. Two writers of a stream are told apart from that first: the second meets the unique key. Whoever
-- appends holds the lock of the stream's row, so the version before is committed, or of this transaction. Costs nothing
-- where all are the first of their streams, as transfers are.
create or replace function events.append(
  ids uuid[], types text[], schema_versions int[], stream_types text[], stream_ids uuid[], stream_versions bigint[],
  payloads jsonb[], correlation_ids text[], causation_ids text[], traceparents text[],
  grants text[] default null, grant_of int[] default null
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.tenant_id();
  principals text[] := case when grants is null then array[tenancy.verified_principal()]
    else (select array_agg(tenancy.grant_principal(g.signed) order by g.place) from unnest(grants) with ordinality g (signed, place)) end;
  actors text[] := (select array_agg(split_part(p.principal, '|', 1) order by p.place) from unnest(principals) with ordinality p (principal, place));
  acts text[] := (select array_agg(nullif(split_part(p.principal, '|', 4), '') order by p.place) from unnest(principals) with ordinality p (principal, place));
  late text;
begin
  -- A megabyte is what a request may have; readers, the sealer among them, make text of each. Elements of an array that is an
  -- argument are not compressed.
  if exists (select from unnest(payloads) p (payload) where pg_column_size(p.payload) > 1048576)
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
    -- A look-up of its own for each, by the unique key.
    select format('%s/%s %s', e.stream_type, e.stream_id, e.stream_version) into late
    from unnest(stream_types, stream_ids, stream_versions) e (stream_type, stream_id, stream_version)
    left join lateral (
      select true as there from events.log l
      where l.tenant_id = tenant and l.stream_type = e.stream_type and l.stream_id = e.stream_id
        and l.stream_version = e.stream_version - 1
      limit 1) before on true
    where e.stream_version > 1 and before.there is null
    limit 1;
    if late is not null then
      raise exception 'no version before % was announced', late using errcode = 'HF031';
    end if;
  end if;
end $$;

select tenancy.record('audit.legal_holds');
-- The row that orders lock is there before anything is decided.
select tenancy.record('audit.retention', only_inserts => 'new.keep_days is not null');
select tenancy.record('audit.subject_erasures');
select tenancy.record('audit.witnesses');
select tenancy.record('identity.api_keys');
select tenancy.record('identity.invitations');
select tenancy.record('identity.issuers');
select tenancy.record('identity.members');
select tenancy.record('identity.roles');
select tenancy.record('identity.support_accesses');
select tenancy.record_batches('ledger.accounts');
select tenancy.record_batches('ledger.transfers', 'tenancy.note_transfers()');
-- The row that closing and dating back lock is there before anything is closed.
select tenancy.record('ledger.books', only_inserts => 'new.closed_through is not null');
-- Why an erasure waits is a note of the worker's.
select tenancy.record('tenants.tenants',
  only_updates => '(to_jsonb(old) - ''erase_postponed'') is distinct from (to_jsonb(new) - ''erase_postponed'')');
-- How far the worker is. What an export has come to is announced, and all else of it.
select tenancy.record('tenants.exports', only_updates =>
  '(to_jsonb(old) - ''{rows_done,rows_total,byte_count,status}''::text[]) is distinct from
     (to_jsonb(new) - ''{rows_done,rows_total,byte_count,status}''::text[])
   or (new.status <> old.status and new.status <> ''running'')');
select tenancy.record('audit.exports', only_updates =>
  '(to_jsonb(old) - ''{rows_done,rows_total,byte_count,status}''::text[]) is distinct from
     (to_jsonb(new) - ''{rows_done,rows_total,byte_count,status}''::text[])
   or (new.status <> old.status and new.status <> ''running'')');
-- What opens the doors. Functions of the owner write it for the application, whose transaction announces what it was for.
-- Deleting is the erasure's, and of what ends a key or a membership the row says so, which is recorded.
select tenancy.record('auth.credentials', asked => 'session_user like ''holdfast\_%''', only_deletes => 'false');
select tenancy.record('auth.memberships', asked => 'session_user like ''holdfast\_%''', only_deletes => 'false');
-- Not what the eraser goes through, which the receipt tells of.
select tenancy.record('auth.tenants', asked => 'session_user like ''holdfast\_%''', tenant_column => 'id', only_inserts => 'false',
  only_updates => '(new.state, new.plan) is distinct from (old.state, old.plan)
    and ''erasing'' <> all (array[old.state, new.state])',
  only_deletes => 'false');
-- Since when deliveries fail; that they have failed for too long is announced. A removed one is deleted by housekeeping.
select tenancy.record('webhooks.endpoints',
  only_updates => '(to_jsonb(old) - ''failing_since'') is distinct from (to_jsonb(new) - ''failing_since'')',
  only_deletes => 'old.removed_at is null');
-- Housekeeping seals secrets with a fresh key, and deletes those that have ended and those of removed webhooks.
select tenancy.record('webhooks.secrets', only_updates => 'new.ends_at is distinct from old.ends_at', only_deletes => 'false');

insert into tenancy.exemptions (rule, object, reason, owner) values
  (26, 'events.log', 'the record itself', 'events'),
  (26, 'events.tenant_cursors', 'how far consumer groups have read', 'events'),
  (26, 'events.parked_keys', 'what waits to be delivered again; who releases it is announced', 'events'),
  (26, 'events.parked_events', 'what waits to be delivered again', 'events'),
  (26, 'idempotency.answers', 'answers kept for retries; what they answered for is recorded', 'cqrs'),
  (26, 'identity.credential_uses', 'counts uses; what stands out among them is announced', 'identity'),
  (26, 'identity.credential_addresses', 'counts uses; what stands out among them is announced', 'identity'),
  (26, 'ledger.keys', 'which request came first under a key; what it did is recorded', 'ledger'),
  (26, 'ledger.timeouts', 'when the sweeper has to look at a hold; its end is recorded', 'ledger'),
  (26, 'ledger.breaks', 'what the controls have found; each is announced once', 'ledger'),
  (26, 'ledger.controls', 'how far the controls have come', 'ledger'),
  (26, 'tenants.export_chunks', 'the files of an export, whose state is recorded', 'tenants'),
  (26, 'tenants.tasks', 'a queue of the workers', 'tenants'),
  (26, 'tenants.usage_counts', 'a projection of the log', 'tenants'),
  (26, 'webhooks.attempts', 'deliveries of events', 'webhooks'),
  (26, 'webhooks.deliveries', 'deliveries of events', 'webhooks'),
  (26, 'webhooks.lanes', 'a queue of the workers', 'webhooks'),
  (26, 'webhooks.secrets delete', 'housekeeping deletes what has ended; that it ends is recorded', 'webhooks'),
  (26, 'audit.breaks', 'what verifying has found; each is announced once', 'audit'),
  (26, 'audit.requests', 'from where the requests came that recorded changes', 'audit'),
  (26, 'audit.export_chunks', 'the files of an export, whose state is recorded', 'audit'),
  (26, 'audit.trees', 'the sealed log of what is recorded', 'audit'),
  (26, 'audit.epochs', 'the sealed log of what is recorded', 'audit'),
  (26, 'audit.tiles', 'the sealed log of what is recorded', 'audit'),
  (26, 'audit.leaves', 'the sealed log of what is recorded', 'audit'),
  (26, 'audit.checkpoints', 'the sealed log of what is recorded', 'audit'),
  (26, 'audit.offers', 'which checkpoints of the sealed log a worker offers to witnesses', 'audit'),
  (26, 'audit.cosignatures', 'of checkpoints of the sealed log', 'audit'),
  (26, 'audit.vaults', 'names the key of the values that events commit to; no state that events tell of', 'audit'),
  (26, 'audit.subject_keys', 'keys of the values that events commit to; who is erased is announced', 'audit'),
  (26, 'audit.disclosures', 'the values that events commit to; who is erased is announced', 'audit')
on conflict (rule, object) do nothing;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 26 November 2026 does not list it, and may start again during the update',
  'tenancy', clock_timestamp() + interval '30 days'
from unnest(array['tenancy.refuse_unannounced', 'events.log']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
