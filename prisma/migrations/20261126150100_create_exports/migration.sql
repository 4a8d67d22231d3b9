-- Work on one tenant that takes longer than a transaction, and the first of it: exports of everything that a tenant has.
--
-- A task is a row of its tenant with a lease. Whoever works on it takes the lease, does one transaction after the other, and
-- each stores how far it got beside its effect: a process that dies loses nothing but the transaction that it was in.
--
-- Not safe under load: the index on events.log holds up appends while it is built, about a second per million events. Build
-- it beforehand with `concurrently` under the same name where that is too long; it is then found and kept.
set local role holdfast_owner;

create table tenants.tasks (
  tenant_id uuid not null,
  kind text not null check (kind in ('export', 'erasure')),
  id uuid not null,
  due_at timestamptz not null default clock_timestamp(),
  -- Whoever works on it, and until when nobody else may.
  holder text,
  lease_until timestamptz,
  -- Failures in a row, and what the last one said. Free of what is the tenant's: the operator reads it.
  attempts int not null default 0,
  last_error text,
  progress jsonb not null default '{}',
  primary key (tenant_id, kind, id)
);
create index tasks_due_at_idx on tenants.tasks (due_at);
-- Workers ask which tenants have work, in the role that knows already which have events, and see nothing of what it is.
select tenancy.protect('tenants.tasks', readers => '{holdfast_relay}');
grant usage on schema tenants to holdfast_relay;
grant select (tenant_id, kind, id, due_at, lease_until) on tenants.tasks to holdfast_relay;
grant select, insert, update, delete on tenants.tasks to holdfast_app;

create table tenants.exports (
  tenant_id uuid not null,
  id uuid not null,
  status text not null default 'queued' check (status in ('queued', 'running', 'completed', 'failed', 'expired')),
  requested_by text not null,
  requested_at timestamptz not null default clock_timestamp(),
  completed_at timestamptz,
  expires_at timestamptz,
  rows_done bigint not null default 0,
  rows_total bigint,
  byte_count bigint not null default 0,
  manifest jsonb,
  primary key (tenant_id, id)
);
select tenancy.protect('tenants.exports');
grant select, insert, update on tenants.exports to holdfast_app;

-- What an export has read, gzipped: at most a thousand rows or a few megabytes each.
create table tenants.export_chunks (
  tenant_id uuid not null,
  export_id uuid not null,
  file text not null,
  part int not null,
  row_count int not null,
  body bytea not null,
  primary key (tenant_id, export_id, file, part),
  foreign key (tenant_id, export_id) references tenants.exports (tenant_id, id)
);
select tenancy.protect('tenants.export_chunks');
grant select, insert, delete on tenants.export_chunks to holdfast_app;

-- Events leave in the order in which they came.
create index if not exists log_tenant_id_seq_idx on events.log (tenant_id, seq);

-- Tables of tenants that no export holds, each with the reason.
create table tenancy.not_exported (
  relation text primary key,
  reason text not null check (length(reason) > 10)
);
grant select on tenancy.not_exported to holdfast_app;
insert into tenancy.not_exported (relation, reason) values
  ('events.tenant_cursors', 'positions in the log of this cluster, which mean nothing in another'),
  ('idempotency.answers', 'kept for a day, so that requests can be repeated'),
  ('tenants.usage_counts', 'counted from the events, which are exported'),
  ('tenants.tasks', 'work under way here'),
  ('tenants.exports', 'the exports themselves'),
  ('tenants.export_chunks', 'the exports themselves');
insert into tenancy.exemptions (rule, object, reason, owner) values
  (1, 'tenancy.not_exported', 'this list is about the database and not about any tenant', 'tenants'),
  (18, 'tenants.list_due_tasks', 'workers ask which tenants have work, in a role that sees nothing of what it is', 'tenants');

-- Every table with rows of tenants, from the catalogue, with how many foreign keys deep it stands: what refers to others is
-- filled after them and emptied before them. BullMQ's tables are not ours and have no such column.
create function tenancy.tenant_tables() returns table (relation regclass, depth int)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with recursive tenant_table as (
    select c.oid
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    where c.relkind = 'r' and n.nspname not in ('information_schema', 'jobs') and n.nspname !~ '^pg_'
  ), standing (oid, depth) as (
    select t.oid, 0 from tenant_table t
    union
    select k.conrelid, s.depth + 1
    from standing s
    join pg_constraint k on k.contype = 'f' and k.confrelid = s.oid and k.conrelid <> k.confrelid
    where s.depth < 20
  )
  select t.oid::regclass, max(s.depth)
  from tenant_table t
  join standing s on s.oid = t.oid
  group by t.oid
$$;

-- The tables that an export of the transaction's tenant holds, in an order in which they can be filled, and how many rows
-- each has. As its caller: what the application may not read, it cannot export.
create function tenancy.export_tables() returns table (relation text, row_count bigint)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.tenant_id();
  found record;
begin
  for found in
    select t.relation as target from tenancy.tenant_tables() t
    where has_table_privilege(t.relation, 'select')
      and not exists (select from tenancy.not_exported n where n.relation = t.relation::text)
    order by t.depth, t.relation::text
  loop
    relation := found.target::text;
    execute format('select count(*) from %s t where t.tenant_id = $1', found.target) into row_count using tenant;
    return next;
  end loop;
end $$;

-- Up to rows_max rows of such a table as JSON, in the order of its primary key (events in the order of the log), behind the
-- position that the page before has ended with; fewer when they exceed bytes_max, but never none. As its caller, under
-- row-level security. Identifiers come from the catalogue: `file` chooses among them and is put into no statement.
create function tenancy.export_page(file text, after jsonb, rows_max int, bytes_max int)
returns table (line text, place jsonb)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  target regclass := (
    select t.relation from tenancy.tenant_tables() t
    where t.relation::text = file and not exists (select from tenancy.not_exported n where n.relation = file));
  keys text[] := case when file = 'events.log' then array['seq'] else array(
    select a.attname
    from pg_index x
    cross join unnest(x.indkey) with ordinality k (attnum, place)
    join pg_attribute a on a.attrelid = x.indrelid and a.attnum = k.attnum
    where x.indrelid = target and x.indisprimary and a.attname <> 'tenant_id'
    order by k.place) end;
  listed text := (select string_agg(format('t.%I', k), ', ') from unnest(keys) k);
  behind text := (select string_agg(format('(jsonb_populate_record(null::%s, $2)).%I', target, k), ', ') from unnest(keys) k);
begin
  if target is null then
    raise exception 'no table of tenants that is exported has this name' using errcode = 'HF002';
  end if;
  if after is not null and listed is null then
    return; -- One row per tenant, and that one has been read.
  end if;
  return query execute format(
    'select p.line, p.place
     from (
       select r.line, r.place, r.ordinal,
         sum(octet_length(r.line)) over (order by r.ordinal rows between unbounded preceding and 1 preceding) as before
       from (
         select to_jsonb(t)::text as line, jsonb_build_object(%s) as place, row_number() over (order by %s) as ordinal
         from (select t.* from %s t where t.tenant_id = $1 %s order by %s limit $3) t
       ) r
     ) p
     where coalesce(p.before, 0) < $4
     order by p.ordinal',
    (select string_agg(format('%L, t.%I', k, k), ', ') from unnest(keys) k),
    coalesce(listed, 't.tenant_id'),
    target,
    case when after is not null then format('and (%s) > (%s)', listed, behind) end,
    concat_ws(', ', 't.tenant_id', listed))
  using tenancy.tenant_id(), after, rows_max, bytes_max;
end $$;
grant execute on function tenancy.tenant_tables(), tenancy.export_tables(), tenancy.export_page(text, jsonb, int, int)
  to holdfast_app;
