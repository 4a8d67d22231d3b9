-- The signed tenant context: who may act as which tenant, decided and verified inside the database.
--
-- A *grant* is minted by the functions of schema `auth` and names a tenant, an actor and scopes for five minutes. A
-- transaction hands it to `tenancy.enter`, which leaves a *context* in a transaction-local setting: the grant's content
-- under a second MAC that also covers transaction_timestamp(). Policies call `tenancy.tenant_id()`, which verifies that
-- MAC. A statement can overwrite the setting, but only with text that it cannot sign, so it can lose its context and
-- never change it.
--
-- Layout, in characters, of grant and context alike: 1 MAC (64 hex) · 65 signing key (4) · 69 tenant (36) · 105 expiry
-- in microseconds since 1970 (16) · 121 actor|scopes separated by blanks|cause.
--
-- The MAC is sha256(k || sha256(k || m)) over bytes: the nested keyed hash of HMAC (Bellare, Canetti, Krawczyk 1996)
-- without its padding, twice as fast in plain SQL as pgcrypto's hmac. A context's m begins with the eight bytes of a
-- timestamp, whose first is zero and occurs in no text: a context is therefore never accepted as a grant.
--
-- Safe under load: creates only.
set local role holdfast_owner;

create schema tenancy;

create table tenancy.signing_keys (
  id text primary key check (id ~ '^[0-9]{4}$'),
  secret bytea not null check (length(secret) = 32),
  created_at timestamptz not null default clock_timestamp(),
  -- Verifies until then and signs nothing more; null for the one key that signs.
  retired_at timestamptz
);
create unique index signing_keys_one_signs on tenancy.signing_keys ((true)) where retired_at is null;

-- Objects that the doctor's checks leave out, each with a reason and somebody who answers for it.
create table tenancy.exemptions (
  rule int not null,
  object text not null,
  reason text not null check (length(reason) > 10),
  owner text not null,
  primary key (rule, object)
);
grant usage on schema tenancy to holdfast_app, holdfast_ops, holdfast_log;
grant select on tenancy.exemptions to holdfast_app, holdfast_ops;
insert into tenancy.exemptions (rule, object, reason, owner) values
  (1, 'tenancy.exemptions', 'this list is about the database and not about any tenant', 'tenancy');
-- Nothing where a superuser migrates: the migration before this one has taken these from PUBLIC then, and the doctor
-- finds it when somebody gives them back. Names as in its rule 17.
insert into tenancy.exemptions (rule, object, reason, owner)
select 17, f.oid::regprocedure::text, 'the administrator of this cluster is no superuser and could not revoke it', 'tenancy'
from pg_catalog.pg_proc f
where f.pronamespace = 'pg_catalog'::regnamespace
  and f.proname in ('pg_advisory_lock', 'pg_advisory_lock_shared', 'pg_try_advisory_lock', 'pg_try_advisory_lock_shared',
    'lo_creat', 'lo_create', 'lo_from_bytea', 'lo_open', 'lo_put', 'lo_unlink',
    'pg_cancel_backend', 'pg_terminate_backend', 'pg_logical_emit_message')
  and exists (select from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a where a.grantee = 0);

-- Starts to sign with a fresh key. Grants live for five minutes, so ten leave every grant of the old key its full life.
-- Two rotations at once: the second waits at the update and then retires the first's key as well.
create function tenancy.rotate_signing_key() returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  key_id text;
begin
  lock table tenancy.signing_keys in share row exclusive mode;
  delete from tenancy.signing_keys where retired_at < clock_timestamp() - interval '1 day';
  update tenancy.signing_keys set retired_at = clock_timestamp() + interval '10 minutes' where retired_at is null;
  select lpad(((coalesce(max(id)::int, 0) + 1) % 10000)::text, 4, '0') into key_id
  from (select id from tenancy.signing_keys order by created_at desc limit 1) newest;
  -- 244 random bits of the operating system's generator, folded to the length of a key.
  insert into tenancy.signing_keys (id, secret)
  values (key_id, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));
  return key_id;
end $$;
grant execute on function tenancy.rotate_signing_key() to holdfast_ops;
select tenancy.rotate_signing_key();

-- Mints a grant. Executable by nobody: the functions of schema `auth` call it as their owner.
create function tenancy.mint(tenant uuid, actor text, scopes text[], expires_at timestamptz, cause text default '') returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  signing record;
  body text;
begin
  -- Printable ASCII only, which every client encoding writes the same; a bar would end a part, a blank end a scope.
  if tenant is null or concat(actor, array_to_string(scopes, ''), cause) collate "C" ~ '[^ -{}~]'
     or array_to_string(scopes, '') ~ ' ' then
    raise exception 'a grant needs a tenant, and its parts are printable ASCII without bars' using errcode = 'HF002';
  end if;
  select s.id, s.secret into strict signing from tenancy.signing_keys s where s.retired_at is null;
  body := signing.id || tenant::text || lpad((extract(epoch from expires_at) * 1000000)::bigint::text, 16, '0')
    || actor || '|' || array_to_string(scopes, ' ') || '|' || coalesce(cause, '');
  return encode(sha256(signing.secret || sha256(signing.secret || convert_to(body, 'utf8'))), 'hex') || body;
end $$;

-- The body of a grant that is genuine and has not expired; raises HF001 for any other text. One message for all
-- reasons but expiry, so that it says nothing about keys or tenants.
create function tenancy.verified_grant(signed_grant text) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  body text := substr(signed_grant, 65);
  k bytea := (
    select s.secret from tenancy.signing_keys s
    where s.id = substr(signed_grant, 65, 4) and (s.retired_at is null or s.retired_at > clock_timestamp()));
begin
  if k is null
     or substr(signed_grant, 1, 64) <> encode(sha256(k || sha256(k || convert_to(body, 'utf8'))), 'hex') then
    raise exception 'tenant grant refused' using errcode = 'HF001';
  end if;
  if substr(body, 41, 16)::bigint < extract(epoch from clock_timestamp()) * 1000000 then
    raise exception 'tenant grant expired' using errcode = 'HF001';
  end if;
  return body;
end $$;

-- Binds the transaction to the grant's tenant. The setting ends with the transaction, whatever its outcome, and its MAC
-- is worth nothing in another one.
--
-- Before that it ends what an earlier transaction may have left in the session: held cursors, settings, advisory locks.
-- Done here instead of by three statements of their own, a point read costs 30 % less. A rollback brings the settings
-- back, and the next transaction ends them again: nothing but `begin` ever runs ahead of this function.
create function tenancy.enter(signed_grant text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  body text := tenancy.verified_grant(signed_grant);
  k bytea := (select s.secret from tenancy.signing_keys s where s.id = substr(body, 1, 4));
begin
  execute 'close all';
  execute 'reset all'; -- Of this function's search_path as well; pg_catalog is searched first on every path.
  perform pg_catalog.pg_advisory_unlock_all();
  perform pg_catalog.set_config('holdfast.context',
    encode(sha256(k || sha256(k || timestamptz_send(transaction_timestamp()) || convert_to(body, 'utf8'))), 'hex') || body,
    true);
end $$;

-- The transaction's tenant. Stable, so that `(select tenancy.tenant_id())` in a policy runs once per statement. Raises
-- HF001 for a context that is missing (null, or '' on a reused connection), forged, or of another transaction.
create function tenancy.tenant_id() returns uuid
language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
declare
  context text := current_setting('holdfast.context', true);
  k bytea := (select s.secret from tenancy.signing_keys s where s.id = substr(context, 65, 4));
begin
  if k is null
     or substr(context, 1, 64) <> encode(sha256(k || sha256(k
          || timestamptz_send(transaction_timestamp()) || convert_to(substr(context, 65), 'utf8'))), 'hex') then
    raise exception 'no tenant context' using errcode = 'HF001';
  end if;
  return substr(context, 69, 36)::uuid;
end $$;

-- Everything after the tenant in the verified context: actor|scopes|cause.
create function tenancy.verified_principal() returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform tenancy.tenant_id();
  return substr(current_setting('holdfast.context', true), 121);
end $$;

-- Who acts in this transaction, as `api_key:<id>`, `member:<id>` or `system:<consumer>`. Never taken from the caller.
create function tenancy.actor() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select split_part(tenancy.verified_principal(), '|', 1)
$$;

-- What the actor of this transaction may do; `*` stands for everything.
create function tenancy.scopes() returns text[]
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select string_to_array(split_part(tenancy.verified_principal(), '|', 2), ' ')
$$;

-- The actor of a grant for the transaction's own tenant. One transaction may work for several callers of one tenant (the
-- ledger's batches do); a grant of another tenant is refused like a forged one.
create function tenancy.grant_actor(signed_grant text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  body text := tenancy.verified_grant(signed_grant);
begin
  if substr(body, 5, 36)::uuid <> tenancy.tenant_id() then
    raise exception 'tenant grant refused' using errcode = 'HF001';
  end if;
  return split_part(substr(body, 57), '|', 1);
end $$;

grant execute on function tenancy.enter(text), tenancy.tenant_id(), tenancy.actor(), tenancy.scopes(), tenancy.grant_actor(text)
  to holdfast_app, holdfast_ops, holdfast_log;

-- Gives a table the one shape of row-level security: a restrictive policy that every row has to pass, beside a
-- permissive one that lets members see what passes. Restrictive policies are AND-ed, so no policy that is added later
-- can widen what a tenant sees. `readers` are roles without a tenant that may read every row (and are then no members).
create function tenancy.protect(target regclass, readers name[] default '{}') returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  members text := (
    select string_agg(quote_ident(m), ', ') from unnest(array['holdfast_owner', 'holdfast_app', 'holdfast_ops']::name[]) m
    where m <> all (readers));
  reader name;
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy tenant_isolation on %s as restrictive for all to %s '
    'using (tenant_id = (select tenancy.tenant_id())) with check (tenant_id = (select tenancy.tenant_id()))', target, members);
  execute format('create policy tenant_access on %s as permissive for all to %s using (true) with check (true)', target, members);
  foreach reader in array readers loop
    execute format('create policy %I on %s as permissive for select to %I using (true)', reader || '_reads', target, reader);
  end loop;
end $$;
