-- Members of a tenant and the roles that it defines itself, with the functions that keep auth.memberships, by which grants
-- are minted, in step with them. Safe under load: creates, and adds to auth.memberships, which nothing has written so far.
set local role holdfast_owner;

create table identity.roles (
  tenant_id uuid not null,
  id uuid not null,
  name text not null check (length(name) between 1 and 100),
  permissions text[] not null,
  version bigint not null default 1 check (version >= 1),
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, id),
  unique (tenant_id, name)
);
select tenancy.protect('identity.roles');
grant select, insert, update, delete on identity.roles to holdfast_app;

create table identity.members (
  tenant_id uuid not null,
  id uuid not null,
  issuer text not null,
  subject text not null,
  email text check (length(email) between 3 and 320),
  display_name text check (length(display_name) between 1 and 200),
  -- A built-in role, or one of the tenant's own; none once the member is removed.
  built_in_role text check (built_in_role in ('owner', 'admin', 'member', 'auditor')),
  role_id uuid,
  -- What brought the member in. `issuer`: the role follows the issuer's claims at each sign-in.
  source text not null check (source in ('added', 'invitation', 'issuer', 'sign-up')),
  -- What people edit, and the member's events, of which signing in is one that changes nothing.
  version bigint not null default 1 check (version >= 1),
  stream_version bigint not null default 1 check (stream_version >= 1),
  created_at timestamptz not null default clock_timestamp(),
  removed_at timestamptz,
  signed_in_at timestamptz,
  -- SHA-256 of the token of the last sign-in.
  signed_in_token bytea check (length(signed_in_token) = 32),
  primary key (tenant_id, id),
  foreign key (tenant_id, role_id) references identity.roles (tenant_id, id),
  check (num_nonnulls(built_in_role, role_id) = case when removed_at is null then 1 else 0 end)
);
create unique index members_tenant_id_issuer_subject_idx on identity.members (tenant_id, issuer, subject)
  where removed_at is null;
create index members_tenant_id_role_id_idx on identity.members (tenant_id, role_id) where role_id is not null;
create index members_tenant_id_owners_idx on identity.members (tenant_id, id) where built_in_role = 'owner';
select tenancy.protect('identity.members');
grant select, insert, update on identity.members to holdfast_app;

create unique index memberships_tenant_id_member_id_idx on auth.memberships (tenant_id, member_id);

-- Refuses permissions that the caller does not hold: nobody gives or takes away more than they have themselves.
create function auth.require_held(scopes text[]) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  held text[] := tenancy.scopes();
begin
  if not ('*' = any (held) or scopes <@ held) then
    raise exception 'only who holds a permission may give or take it' using errcode = 'HF003';
  end if;
end $$;

-- Makes a person a member of the transaction's tenant. Processes forget to which tenants the person belonged.
create function auth.store_membership(issuer text, subject text, member_id uuid, scopes text[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform auth.require_held(scopes);
  insert into auth.memberships (issuer, subject, tenant_id, member_id, scopes)
  values (issuer, subject, tenancy.tenant_id(), member_id, scopes);
  update auth.revocations set counter = counter + 1;
end $$;

-- Sets what members of the transaction's tenant may do. The caller has to hold both what they had and what they get.
-- Locked in order of their ids, so that two changes of one role wait for each other instead of deadlocking.
create function auth.set_memberships(member_ids uuid[], scopes text[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  had text[];
begin
  perform auth.require_held(scopes);
  for had in
    select m.scopes from auth.memberships m
    where m.tenant_id = tenancy.tenant_id() and m.member_id = any (member_ids)
    order by m.member_id
    for no key update
  loop
    perform auth.require_held(had);
  end loop;
  update auth.memberships m set scopes = $2
  where m.tenant_id = tenancy.tenant_id() and m.member_id = any (member_ids);
  update auth.revocations set counter = counter + 1;
end $$;

-- Ends a membership of the transaction's tenant. Every process refuses the person there within five seconds.
create function auth.end_membership(member_id uuid) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  had text[];
begin
  select m.scopes into had from auth.memberships m
  where m.tenant_id = tenancy.tenant_id() and m.member_id = $1
  for update;
  perform auth.require_held(coalesce(had, '{}'));
  delete from auth.memberships m where m.tenant_id = tenancy.tenant_id() and m.member_id = $1;
  update auth.revocations set counter = counter + 1;
end $$;

grant execute on function auth.store_membership(text, text, uuid, text[]), auth.set_memberships(uuid[], text[]),
  auth.end_membership(uuid) to holdfast_app;
