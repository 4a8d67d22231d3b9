-- Tenants, and how many events of each type they have caused (the projection behind GET /v1/usage).
-- Safe under load: creates only.
set local role holdfast_owner;

create schema tenants;
grant usage on schema tenants to holdfast_app, holdfast_ops;

create table tenants.tenants (
  tenant_id uuid primary key,
  slug text not null unique check (slug ~ '^[a-z][a-z0-9-]{1,62}$'),
  name text not null check (length(name) between 1 and 200),
  created_at timestamptz not null default clock_timestamp()
);
-- The operator lists tenants without entering one; that list is all that this role reads across tenants.
select tenancy.protect('tenants.tenants', readers => '{holdfast_ops}');
grant select, insert, update on tenants.tenants to holdfast_app;
grant select on tenants.tenants to holdfast_ops;
insert into tenancy.exemptions (rule, object, reason, owner) values
  (12, 'tenants.tenants_slug_key', 'slugs are unique over all tenants and only the operator chooses them', 'tenants');

create table tenants.usage_counts (
  tenant_id uuid not null,
  used_on date not null,
  event_type text not null,
  event_count bigint not null check (event_count > 0),
  primary key (tenant_id, used_on, event_type)
);
select tenancy.protect('tenants.usage_counts');
grant select, insert, update on tenants.usage_counts to holdfast_app;
grant select on tenants.usage_counts to holdfast_ops;
