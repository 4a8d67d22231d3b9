-- Has a statement of a tenant planned as that of any other.
--
-- The planner counts how often each value of a column comes. Of a tenant that came after it had counted it expects one row, whatever is
-- there: all indexes that begin with the tenant are then equally good, and it takes one that has nothing else of the statement, or joins
-- two scans of all that the tenant has. Autovacuum counts again when a tenth of the whole table has changed, which may be never: with one
-- tenant's 3,000 rows counted and 16,000 of a second, lists of payments and of holds took longer than a statement may, and an append of an
-- event grew with the tenant's log. Where nothing is counted the planner expects a two-hundredth of the table, of each tenant, and uses all
-- of an index that it can.
--
-- Safe under load: each table is locked for a moment against vacuum, analyze and changes of its structure, and not against rows.
set local role holdfast_owner;

create function tenancy.plan_alike(target regclass) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  execute format('alter table %s alter column tenant_id set statistics 0', target);
  -- What was counted before stays otherwise. Below PostgreSQL 18 only a superuser can, by deleting from pg_statistic.
  if to_regprocedure('pg_catalog.pg_clear_attribute_stats(text, text, text, boolean)') is not null then
    perform pg_clear_attribute_stats(n.nspname::text, c.relname::text, 'tenant_id', false)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid = target;
  end if;
end $$;
revoke execute on function tenancy.plan_alike(regclass) from public;

create or replace function tenancy.protect(target regclass, readers name[] default '{}'::name[])
returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  members text := (
    select string_agg(quote_ident(m), ', ') from unnest(array['holdfast_owner', 'holdfast_app', 'holdfast_ops']::name[]) m
    where m <> all (readers));
  reader name;
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy tenant_isolation on %s as restrictive for all to %s '
    'using (tenant_id = (select tenancy.tenant_id())) with check (tenant_id = (select tenancy.tenant_id()))', target, members);
  execute format('create policy tenant_access on %s as permissive for all to %s using (true) with check (true)', target, members);
  foreach reader in array readers loop
    execute format('create policy %I on %s as permissive for select to %I using (true)', reader || '_reads', target, reader);
  end loop;
  perform tenancy.plan_alike(target);
end $$;

select tenancy.plan_alike(t.relation) from tenancy.tenant_tables() t;
