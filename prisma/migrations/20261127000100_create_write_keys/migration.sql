-- Write keys: who may send telemetry for a tenant. Their text is made of the row's id and the tenant's, and a signature, whenever it is
-- shown; nothing of it is secret, and nothing of it is stored.
--
-- Ingest verifies keys without this database. What it cannot see, which keys are revoked and which tenants are not active or on
-- another plan than the standard one, the API reads here for all tenants and hands on as a signed list of fingerprints. The role
-- that mints grants reads it, and sees which keys there are and nothing of what they are called.
--
-- Right under concurrency: a key is revoked under the lock of its row, which announces it once.
-- Safe under load: creates only, and one pass over a table of a row per member; a change of a member waits for its end.
set local role holdfast_owner;

create schema telemetry;
grant usage on schema telemetry to holdfast_app, holdfast_auth;

create table telemetry.write_keys (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (length(name) between 1 and 200),
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz,
  version bigint not null default 1 check (version >= 1),
  primary key (tenant_id, id)
);
create index write_keys_tenant_id_revoked_idx on telemetry.write_keys (tenant_id, id) where revoked_at is not null;
select tenancy.protect('telemetry.write_keys', readers => '{holdfast_auth}');
grant select, insert, update (revoked_at, version) on telemetry.write_keys to holdfast_app;
grant select (tenant_id, id, revoked_at) on telemetry.write_keys to holdfast_auth;
grant select (id, state, plan) on auth.tenants to holdfast_auth;
select tenancy.record('telemetry.write_keys');
create trigger refuse_lasting before insert on telemetry.write_keys
  for each row execute function auth.refuse_lasting();

insert into tenancy.not_exported (relation, reason) values
  ('telemetry.write_keys', 'signed for this tenant by this installation; where the tenant goes it makes its own');
insert into tenancy.exemptions (rule, object, reason, owner) values
  (4, 'telemetry.write_keys holdfast_auth_reads', 'lists which keys of all tenants are revoked; it may read their ids alone', 'telemetry'),
  (18, 'telemetry.list_key_states', 'ingest is told which keys and tenants to refuse, as fingerprints that say nothing to others', 'telemetry');

-- `telemetry:write` for those who are admins already; see 20261126210210_permit_closing_periods.
update auth.memberships
set scopes = scopes || '{telemetry:write}'
where not scopes && '{*,telemetry:write}'
  and scopes @> array['tenant:read', 'tenant:write', 'members:read', 'members:write', 'roles:write', 'issuers:read',
    'issuers:write', 'keys:read', 'keys:write', 'support:read', 'support:write', 'exports:read', 'exports:write', 'ledger:read',
    'ledger:write', 'ledger:close', 'audit:read', 'audit:write', 'personal:read', 'personal:write', 'events:read', 'webhooks:read',
    'webhooks:write', 'telemetry:read'];

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before 27 November 2026 does not list it, and may start again during the update',
  'telemetry', clock_timestamp() + interval '30 days'
from unnest(array['telemetry', 'telemetry.write_keys', 'auth.tenants']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
