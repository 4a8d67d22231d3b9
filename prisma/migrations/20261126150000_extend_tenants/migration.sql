-- What a tenant may change about itself (name, settings), the version that guards it, and why the operator last changed
-- its state. State and plan themselves stand in auth.tenants alone; the two functions below read them for whoever may.
--
-- Safe under load: columns with constant defaults are added in an instant to a table with one row per tenant.
set local role holdfast_owner;

alter table tenants.tenants
  -- Counts the events of the tenant's own stream: whoever changes the row holds its lock and announces this version.
  add column version bigint not null default 1 check (version >= 1),
  add column settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  add column state_reason text check (length(state_reason) between 1 and 500);

-- State and plan of the transaction's tenant. Callers that decide by it lock the row in tenants.tenants first, in a
-- statement of its own, so that this one sees what the holder before them has committed.
create function auth.own_tenant() returns table (state text, plan text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(t.state, 'active'), coalesce(t.plan, 'standard')
  from (select tenancy.tenant_id() as id) own
  left join auth.tenants t on t.id = own.id
$$;
grant execute on function auth.own_tenant() to holdfast_app;
-- The operator sees the states of all tenants, those that are gone included.
grant select on auth.tenants to holdfast_ops;

-- The settings of the transaction's tenant, for every module that enforces one. As its caller, under row-level security.
create function tenancy.settings() returns jsonb
language sql stable set search_path = pg_catalog, pg_temp as $$
  select t.settings from tenants.tenants t where t.tenant_id = tenancy.tenant_id()
$$;
grant execute on function tenancy.settings() to holdfast_app;
