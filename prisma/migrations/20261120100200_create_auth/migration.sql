-- Credentials, and the three functions that turn one into a signed grant.
--
-- The role `holdfast_auth` may execute these functions and nothing else; the role that runs business SQL may not, so a
-- process that can use a grant over one pool can mint one only over another. Credentials are global tables without
-- row-level security, because the tenant is not known before they are read; only functions of this schema read them.
-- Safe under load: creates only.
set local role holdfast_owner;

create schema auth;
grant usage on schema auth to holdfast_auth, holdfast_app, holdfast_ops;

create table auth.credentials (
  -- sha256 of the whole key. A key carries 178 random bits, so a slow password hash would add nothing.
  secret_hash bytea primary key check (length(secret_hash) = 32),
  tenant_id uuid not null,
  api_key_id uuid not null,
  scopes text[] not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  unique (tenant_id, api_key_id)
);

create table auth.memberships (
  issuer text not null,
  subject text not null,
  tenant_id uuid not null,
  member_id uuid not null,
  scopes text[] not null,
  primary key (issuer, subject, tenant_id)
);

-- Counts revocations. Every API process polls it and forgets its cached grants when it moves.
create table auth.revocations (
  only_row boolean primary key default true check (only_row),
  counter bigint not null default 0
);
insert into auth.revocations default values;

insert into tenancy.exemptions (rule, object, reason, owner) values
  (1, 'auth.credentials', 'read before the tenant is known, by the functions of schema auth alone', 'identity'),
  (1, 'auth.memberships', 'read before the tenant is known, by the functions of schema auth alone', 'identity'),
  (12, 'auth.credentials_pkey', 'a hash of 178 random bits tells nothing about another tenant', 'identity'),
  (12, 'auth.memberships_pkey', 'looked up by issuer and subject before the tenant is chosen', 'identity');

-- A grant for an API key, or null when the key is unknown, revoked or expired. The grant ends with the key.
create function auth.grant_for_key(secret text) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select tenancy.mint(c.tenant_id, 'api_key:' || c.api_key_id, c.scopes,
    least(clock_timestamp() + interval '5 minutes', c.expires_at))
  from auth.credentials c
  where c.secret_hash = sha256(convert_to(secret, 'utf8'))
    and c.revoked_at is null and (c.expires_at is null or c.expires_at > clock_timestamp())
$$;

-- A grant for a person, or null without a membership. The caller has verified the token: this rests on it.
create function auth.grant_for_member(issuer text, subject text, tenant uuid) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select tenancy.mint(m.tenant_id, 'member:' || m.member_id, m.scopes, clock_timestamp() + interval '5 minutes')
  from auth.memberships m
  where m.issuer = $1 and m.subject = $2 and m.tenant_id = $3
$$;

-- A grant for work that no person asked for: a consumer group, a saga, the operator. `cause` is what set it off (an event
-- or request id) and travels in the grant.
create function auth.grant_for_system(consumer text, tenant uuid, cause text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if consumer is null or consumer !~ '^[a-z][a-z0-9_.-]{0,62}$' then
    raise exception 'a system grant needs the name of its consumer' using errcode = 'HF002';
  end if;
  return tenancy.mint(tenant, 'system:' || consumer, array['*'], clock_timestamp() + interval '5 minutes', cause);
end $$;

create function auth.revocation_counter() returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select counter from auth.revocations
$$;

grant execute on function auth.grant_for_key(text), auth.grant_for_member(text, text, uuid),
  auth.grant_for_system(text, uuid, text), auth.revocation_counter() to holdfast_auth;

-- Stores the hash of a key for the transaction's tenant. Nobody hands on more than they hold: the scopes have to be
-- among the caller's own, which are read from the verified context.
create function auth.store_credential(api_key_id uuid, secret_hash bytea, scopes text[], expires_at timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  held text[] := tenancy.scopes();
begin
  if not ('*' = any (held) or scopes <@ held) then
    raise exception 'a key cannot hold a scope that its maker does not hold' using errcode = 'HF003';
  end if;
  insert into auth.credentials (secret_hash, tenant_id, api_key_id, scopes, expires_at)
  values (secret_hash, tenancy.tenant_id(), api_key_id, scopes, expires_at);
end $$;

-- Ends a key of the transaction's tenant; answers whether there was one to end. The counter's row lock orders
-- revocations, and pods see the counter move only when the revocation has committed.
create function auth.revoke_credential(api_key_id uuid) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  update auth.credentials c set revoked_at = clock_timestamp()
  where c.tenant_id = tenancy.tenant_id() and c.api_key_id = $1 and c.revoked_at is null;
  if not found then
    return false;
  end if;
  update auth.revocations set counter = counter + 1;
  return true;
end $$;

grant execute on function auth.store_credential(uuid, bytea, text[], timestamptz), auth.revoke_credential(uuid)
  to holdfast_app, holdfast_ops;
