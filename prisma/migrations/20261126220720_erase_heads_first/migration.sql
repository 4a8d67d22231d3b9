-- An erasure takes the tenant's row of events.heads before all others. Nobody looks for events of a tenant that has none there:
-- so the sealer begins no tree while the log is being deleted, and does not take the end of it for a log that was tampered with.
-- Safe under load: replaces a function.
set local role holdfast_owner;

create or replace function tenancy.erase_page(rows_max int) returns table (relation text, row_count bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.erasing_tenant();
  target regclass;
begin
  delete from tenants.tasks t where t.tenant_id = tenant and t.kind <> 'erasure'; -- A handful: no exports are made any more.
  for target in
    select t.relation from tenancy.tenant_tables() t
    where t.relation <> 'tenants.tasks'::regclass
    order by t.relation <> 'events.heads'::regclass, t.depth desc, t.relation::text
  loop
    execute format(
      'delete from %1$s t where t.ctid = any (array(select x.ctid from %1$s x where x.tenant_id = $1 limit $2))', target)
      using tenant, rows_max;
    get diagnostics row_count = row_count;
    if row_count > 0 then
      relation := target::text;
      return next;
      return;
    end if;
  end loop;
end $$;
