-- Invitations into a tenant, and the issuers whose claims bring people into it. Safe under load: creates only.
set local role holdfast_owner;

create table identity.invitations (
  tenant_id uuid not null,
  id uuid not null,
  -- SHA-256 of the token, which carries 178 random bits and is shown once.
  token_hash bytea not null check (length(token_hash) = 32),
  email text check (length(email) between 3 and 320),
  built_in_role text check (built_in_role in ('owner', 'admin', 'member', 'auditor')),
  role_id uuid,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  accepted_at timestamptz,
  -- Who accepted.
  member_id uuid,
  primary key (tenant_id, id),
  unique (tenant_id, token_hash),
  foreign key (tenant_id, role_id) references identity.roles (tenant_id, id),
  foreign key (tenant_id, member_id) references identity.members (tenant_id, id),
  -- One that is over names no role, so that a role can be removed.
  check (num_nonnulls(built_in_role, role_id) = case when num_nonnulls(revoked_at, accepted_at) = 0 then 1 else 0 end),
  check (num_nonnulls(accepted_at, member_id) in (0, 2))
);
create index invitations_tenant_id_role_id_idx on identity.invitations (tenant_id, role_id) where role_id is not null;
select tenancy.protect('identity.invitations');
grant select, insert, update on identity.invitations to holdfast_app;

create table identity.issuers (
  tenant_id uuid not null,
  id uuid not null,
  issuer text not null check (length(issuer) between 1 and 500),
  -- Only tokens in which this claim has, or contains, this value are the tenant's people.
  claim text not null check (length(claim) between 1 and 200),
  claim_value text not null check (length(claim_value) between 1 and 200),
  -- The claim whose values choose a role, and the role of each value, as [{value, role}]; the first that fits counts.
  role_claim text check (length(role_claim) between 1 and 200),
  roles jsonb not null default '[]',
  -- The role of those whose values choose none; null keeps them out.
  default_role text,
  version bigint not null default 1 check (version >= 1),
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, id)
);
create index issuers_tenant_id_issuer_id_idx on identity.issuers (tenant_id, issuer, id);
select tenancy.protect('identity.issuers');
grant select, insert, update, delete on identity.issuers to holdfast_app;
