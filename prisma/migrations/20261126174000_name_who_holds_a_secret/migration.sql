-- A secret names the operator who was shown it: whatever is done with a key that an operator made for a tenant with a way in
-- of its own, or with a key that such a key made, has the operator's name beside it. And a support access for a member holds
-- what the member holds now. Safe under load: functions are replaced; two indexes on tables of hours.
set local role holdfast_owner;

-- As before, and: the operator's first key of a tenant is the tenant's. Any other is the operator's as well, ends within 30
-- days and carries their name, and so do the keys that are made with it.
create or replace function auth.store_credential(api_key_id uuid, secret_hash bytea, scopes text[], expires_at timestamptz) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.tenant_id();
  held text[] := tenancy.scopes();
  act text := tenancy.act();
begin
  if not ('*' = any (held) or scopes <@ held) then
    raise exception 'a key cannot hold a scope that its maker does not hold' using errcode = 'HF003';
  end if;
  if tenancy.actor() = 'system:operator' then
    if exists (select from auth.credentials c where c.tenant_id = tenant and c.actor is null)
       or exists (select from auth.memberships m where m.tenant_id = tenant) then
      if expires_at is null or expires_at > clock_timestamp() + interval '31 days' then
        raise exception 'a key that an operator takes ends within 30 days' using errcode = 'HF003';
      end if;
    else
      act := null;
    end if;
  end if;
  insert into auth.credentials (secret_hash, tenant_id, api_key_id, scopes, expires_at, act)
  values (secret_hash, tenant, api_key_id, scopes, expires_at, act);
end $$;

-- As before, and: not for the operator, who would learn a secret without an end; and the new secret names who was shown it.
create or replace function auth.rotate_credential(api_key_id uuid, secret_hash bytea, overlap interval) returns timestamptz
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.tenant_id();
  held text[] := tenancy.scopes();
  newest auth.credentials;
  ends timestamptz;
begin
  if overlap is null or overlap not between interval '0' and interval '7 days' then
    raise exception 'two secrets of a key are good together for 7 days at most' using errcode = 'HF002';
  end if;
  -- What was made for somebody to act as somebody else (`actor`) lives out as it is.
  select * into newest from auth.credentials c
  where c.tenant_id = tenant and c.api_key_id = $1 and c.actor is null
    and c.revoked_at is null and (c.expires_at is null or c.expires_at > clock_timestamp())
  order by c.created_at desc
  limit 1;
  if not found then
    return null;
  end if;
  if tenancy.actor() = 'system:operator' or not ('*' = any (held) or newest.scopes <@ held) then
    raise exception 'a key cannot be rotated by somebody who holds less than it' using errcode = 'HF003';
  end if;
  ends := least(clock_timestamp() + overlap, newest.expires_at);
  update auth.credentials c
  set expires_at = case when c.secret_hash = newest.secret_hash then ends else least(clock_timestamp(), c.expires_at) end
  where c.tenant_id = tenant and c.api_key_id = $1 and c.revoked_at is null;
  -- A dead secret says whose it was to whoever records refusals; after a month that is no news.
  delete from auth.credentials c
  where c.tenant_id = tenant and c.api_key_id = $1 and c.expires_at < clock_timestamp() - interval '30 days';
  insert into auth.credentials (secret_hash, tenant_id, api_key_id, scopes, expires_at, act)
  values (secret_hash, tenant, api_key_id, newest.scopes, newest.expires_at, tenancy.act());
  -- Processes forget the grants that they have cached for the old secret: those would outlive a short overlap.
  perform auth.note_revocation();
  return ends;
end $$;

-- As before, but for keys with an operator's name: what they make carries it too.
create or replace function auth.refuse_lasting() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if coalesce(current_setting('holdfast.context', true), '') <> ''
     and tenancy.act() is not null and tenancy.actor() !~ '^(system:operator$|api_key:)' then
    raise exception 'a support access makes no credential' using errcode = 'HF003';
  end if;
  return new;
end $$;

-- As before, and a support access for a member is let in with what the member holds by now.
create or replace function auth.grant_for_key(secret text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  c auth.credentials;
  of_member text[];
begin
  select * into c from auth.credentials k
  where k.secret_hash = sha256(convert_to(secret, 'utf8'))
    and k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp());
  if not found then
    return null;
  end if;
  if c.actor like 'member:%' then
    select m.scopes into of_member from auth.memberships m
    where m.tenant_id = c.tenant_id and m.member_id = substr(c.actor, 8)::uuid;
    if not found then
      return null;
    end if;
    if not '*' = any (of_member) then
      c.scopes := array(select scope from unnest(c.scopes) scope where scope = any (of_member));
    end if;
  end if;
  perform auth.refuse_closed(c.tenant_id, false);
  return tenancy.mint(c.tenant_id, coalesce(c.actor, 'api_key:' || c.api_key_id), c.scopes,
    least(clock_timestamp() + interval '5 minutes', c.expires_at), '', c.act);
end $$;

-- Addresses are forgotten 90 days after their last use: at the tenant's next use of any credential.
alter table identity.credential_uses alter column last_address drop not null;
create index credential_uses_tenant_id_last_used_at_idx on identity.credential_uses (tenant_id, last_used_at)
  where last_address is not null;
create index credential_addresses_tenant_id_last_used_at_idx on identity.credential_addresses (tenant_id, last_used_at);
