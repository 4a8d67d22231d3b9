-- Whose a key is that was refused: so that its tenant learns of it. Safe under load: functions are created and replaced.
set local role holdfast_owner;

-- The tenants and actors of keys by the hash of their secret, revoked, expired or of a suspended tenant alike; nothing for a
-- hash that nobody has. For the recorder of refusals, which runs behind the answer: no client ever learns of it.
create function auth.owners_of_keys(secret_hashes bytea[])
returns table (secret_hash bytea, tenant_id uuid, actor text, act text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select c.secret_hash, c.tenant_id, coalesce(c.actor, 'api_key:' || c.api_key_id), c.act
  from auth.credentials c
  where c.secret_hash = any (secret_hashes)
  limit 1000
$$;
grant execute on function auth.owners_of_keys(bytea[]) to holdfast_auth;

-- As before, and out of the way of an administrator who restores the table: without a tenant no function stores a credential.
create or replace function auth.refuse_lasting() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if coalesce(current_setting('holdfast.context', true), '') <> ''
     and tenancy.act() is not null and tenancy.actor() <> 'system:operator' then
    raise exception 'a support access makes no credential' using errcode = 'HF003';
  end if;
  return new;
end $$;
