-- Imports accounts that a part of the system owned as the tenant's own. What owned one, such as a payment between tenants, is in no export: it
-- goes on with the tenant that was exported, and what was held there at that time would be held in the copy for ever, with nobody to end it.
-- The other half of such a payment stays where it is, and ends with the original.
--
-- Safe under load: replaces a function, which is as it was but for that.
set local role holdfast_owner;

create or replace function tenancy.import_page(file text, lines text[]) returns bigint
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
    and a.attname not in ('tenant_id', 'xid')
    and not (target = 'ledger.accounts'::regclass and a.attname = 'owner');
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
