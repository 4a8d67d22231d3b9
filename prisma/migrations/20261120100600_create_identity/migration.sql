-- API keys as a tenant sees them: name, scopes and state. The hash of the secret is in auth.credentials.
-- Safe under load: creates only.
set local role holdfast_owner;

create schema identity;
grant usage on schema identity to holdfast_app, holdfast_ops;

create table identity.api_keys (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (length(name) between 1 and 200),
  -- The first characters of the secret, so that people can tell keys apart.
  prefix text not null,
  scopes text[] not null,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  revoked_at timestamptz,
  primary key (tenant_id, id)
);
select tenancy.protect('identity.api_keys');
grant select, insert, update on identity.api_keys to holdfast_app, holdfast_ops;
