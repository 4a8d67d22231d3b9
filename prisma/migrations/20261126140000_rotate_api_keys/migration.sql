-- Rotation of API keys: a key may have two secrets, of which the older ends by itself. And why the operator made a key.
--
-- Safe under load: columns with constant defaults and a function are added, each in an instant. The unique constraint
-- becomes an index; both tables have one row per key and are small.
set local role holdfast_owner;

alter table auth.credentials
  drop constraint credentials_tenant_id_api_key_id_key,
  add column created_at timestamptz not null default now();
alter table auth.credentials alter column created_at set default clock_timestamp();
create index credentials_tenant_id_api_key_id_idx on auth.credentials (tenant_id, api_key_id);

alter table identity.api_keys
  add column version bigint not null default 1 check (version >= 1),
  add column rotated_at timestamptz,
  add column previous_ends_at timestamptz,
  -- The operator's, for a key that is not the tenant's first. Shown to the tenant, and in no event.
  add column reason text check (length(reason) between 10 and 500);

-- Gives a key of the transaction's tenant a fresh secret; answers when the one before it ends, or null when there is no
-- live secret to follow. Secrets that are older still end now, so at most two are good at any time. The key's own end
-- stays. Whoever learns the new secret may do what the key may: so, as for a new key, they have to hold its scopes.
-- The caller holds the key's row in identity.api_keys, which puts rotations and revocations of one key in order.
create function auth.rotate_credential(api_key_id uuid, secret_hash bytea, overlap interval) returns timestamptz
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
  where c.tenant_id = tenant and c.api_key_id = $1 and c.actor is null and c.act is null
    and c.revoked_at is null and (c.expires_at is null or c.expires_at > clock_timestamp())
  order by c.created_at desc
  limit 1;
  if not found then
    return null;
  end if;
  if not ('*' = any (held) or newest.scopes <@ held) then
    raise exception 'a key cannot be rotated by somebody who holds less than it' using errcode = 'HF003';
  end if;
  ends := least(clock_timestamp() + overlap, newest.expires_at);
  update auth.credentials c
  set expires_at = case when c.secret_hash = newest.secret_hash then ends else least(clock_timestamp(), c.expires_at) end
  where c.tenant_id = tenant and c.api_key_id = $1 and c.revoked_at is null;
  -- A dead secret says whose it was to whoever records refusals; after a month that is no news.
  delete from auth.credentials c
  where c.tenant_id = tenant and c.api_key_id = $1 and c.expires_at < clock_timestamp() - interval '30 days';
  insert into auth.credentials (secret_hash, tenant_id, api_key_id, scopes, expires_at)
  values (secret_hash, tenant, api_key_id, newest.scopes, newest.expires_at);
  -- Processes forget the grants that they have cached for the old secret: those would outlive a short overlap.
  update auth.revocations set counter = counter + 1;
  return ends;
end $$;
grant execute on function auth.rotate_credential(uuid, bytea, interval) to holdfast_app;
