-- When each credential was last used, and from which addresses: what a tenant looks at when it fears that a key has leaked.
--
-- Written in batches behind the requests. Addresses are personal values: they stand here, are kept for 90 days after their
-- last use, and go with the tenant; events carry a commitment that only the row's salt can open. Safe under load: creates
-- only.
set local role holdfast_owner;

create table identity.credential_uses (
  tenant_id uuid not null,
  -- The actor that it makes: `api_key:<id>` or `member:<id>`.
  credential text not null,
  last_used_at timestamptz not null,
  last_address text not null,
  -- Of the credential's stream; 0 until its first event.
  version bigint not null default 0 check (version >= 0),
  primary key (tenant_id, credential)
);
select tenancy.protect('identity.credential_uses');
grant select, insert, update on identity.credential_uses to holdfast_app;

create table identity.credential_addresses (
  tenant_id uuid not null,
  credential text not null,
  address text not null,
  salt uuid not null default gen_random_uuid(),
  first_used_at timestamptz not null,
  last_used_at timestamptz not null,
  primary key (tenant_id, credential, address),
  foreign key (tenant_id, credential) references identity.credential_uses (tenant_id, credential)
);
select tenancy.protect('identity.credential_addresses');
grant select, insert, update, delete on identity.credential_addresses to holdfast_app;
