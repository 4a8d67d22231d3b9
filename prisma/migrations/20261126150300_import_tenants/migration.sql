-- Reads an export into a tenant that has nothing yet. Many transactions, for an export may be larger than one can be: the
-- tenant's row says which export is being read, and reading the same one again goes on where it ended.
--
-- The functions have the rights of the owner, whom the policies bind to the transaction's tenant, and act for the operator
-- only. Safe under load: adds nullable columns, and creates.
set local role holdfast_owner;

alter table tenants.tenants
  add column import_sha256 text check (import_sha256 ~ '^[0-9a-f]{64}$'),
  add column imported_at timestamptz;

-- Whether an export holds the table, and so may an import.
create function tenancy.is_exported(target regclass) returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
  select has_table_privilege('holdfast_app', target, 'select')
    and exists (select from tenancy.tenant_tables() t where t.relation = target)
    and not exists (select from tenancy.not_exported n where n.relation = target::text)
$$;

-- Opens the transaction's tenant for the export with this digest. Raises HF022 where it has anything of its own but the
-- row and the stream that it was born with, or where it is filled from another export. Locks the tenant's row first: of
-- two imports at once the second waits, and then sees what the first has begun.
create function tenancy.begin_import(sha256 text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.tenant_id();
  own tenants.tenants;
  target regclass;
  found_row boolean;
begin
  if tenancy.actor() <> 'system:operator' then
    raise exception 'only the operator reads an export in' using errcode = 'HF003';
  end if;
  select t.* into own from tenants.tenants t where t.tenant_id = tenant for update;
  if own.import_sha256 = sha256 and own.imported_at is null then
    return;
  end if;
  for target in
    select t.relation from tenancy.tenant_tables() t
    where tenancy.is_exported(t.relation) and t.relation <> 'tenants.tenants'::regclass
  loop
    execute format('select exists (select from %s t where t.tenant_id = $1 %s)', target,
      case when target = 'events.log'::regclass then 'and (t.stream_type, t.stream_id) is distinct from (''tenants.tenant'', $1)' end)
      into found_row using tenant;
    if found_row or own.import_sha256 is not null then
      raise exception 'the tenant is not empty' using errcode = 'HF022';
    end if;
  end loop;
  update tenants.tenants t set import_sha256 = sha256 where t.tenant_id = tenant;
end $$;

-- Stores rows of one table, as an export holds them, for the transaction's tenant. Events keep their ids and versions and
-- get a new place in the log, in the order in which they come. Rows that are there already are left as they are, so a page
-- may come again. Identifiers come from the catalogue.
create function tenancy.import_page(file text, lines text[]) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.tenant_id();
  target regclass := to_regclass(file);
  listed text;
  picked text;
  stored bigint;
begin
  if tenancy.actor() <> 'system:operator' or not exists (
      select from tenants.tenants t where t.tenant_id = tenant and t.import_sha256 is not null and t.imported_at is null) then
    raise exception 'only the operator reads an export in, into a tenant that was opened for it' using errcode = 'HF003';
  end if;
  if target is null or target = 'tenants.tenants'::regclass or not tenancy.is_exported(target) then
    raise exception 'no table of tenants that is exported has this name' using errcode = 'HF002';
  end if;
  select string_agg(quote_ident(a.attname), ', ' order by a.attnum), string_agg(format('r.%I', a.attname), ', ' order by a.attnum)
  into listed, picked
  from pg_attribute a
  where a.attrelid = target and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
    and a.attname not in ('tenant_id', 'xid');
  execute format(
    'insert into %1$s (tenant_id, %2$s %3$s)
     select $1, %4$s %5$s
     from unnest($2) with ordinality l (line, place)
     cross join lateral jsonb_populate_record(null::%1$s, l.line::jsonb) r
     order by l.place
     on conflict do nothing',
    target, listed, case when target = 'events.log'::regclass then ', xid' end,
    picked, case when target = 'events.log'::regclass then ', pg_current_xact_id()' end)
    using tenant, lines;
  get diagnostics stored = row_count;
  return stored;
end $$;

-- Ends the import of the transaction's tenant.
create function tenancy.finish_import(sha256 text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tenancy.actor() <> 'system:operator' then
    raise exception 'only the operator reads an export in' using errcode = 'HF003';
  end if;
  update tenants.tenants t set imported_at = clock_timestamp()
  where t.tenant_id = tenancy.tenant_id() and t.import_sha256 = sha256 and t.imported_at is null;
  if not found then
    raise exception 'the tenant was not opened for this export' using errcode = 'HF022';
  end if;
end $$;
grant execute on function tenancy.begin_import(text), tenancy.import_page(text, text[]), tenancy.finish_import(text)
  to holdfast_app;
