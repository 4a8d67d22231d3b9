-- Grants that also name the operator who acts (`act`, after RFC 8693) and the tenant's plan; the state of tenants, which
-- decides whether a credential still opens anything; and a tenant context that costs half as much.
--
-- Layout of grant and context, in characters: 1 MAC (64 hex) · 65 signing key (4) · 69 tenant (36) · 105 expiry, 16 hex
-- digits of timestamptz_send · 121 actor|scopes|cause|act|plan.
--
-- A function of PL/pgSQL prepares each of its expressions anew in every transaction that calls it, and most transactions
-- call these once. So what runs per transaction is one look-up and one expression. Expiry is text that sorts as the time
-- does, because comparing it costs a tenth of reckoning in numeric.
--
-- Safe under load: functions are replaced and nullable columns are added, each in an instant. Grants of the old layout stay
-- good for as long as they lived anyway: their expiry, in decimal digits, sorts behind every one of the new layout, and the
-- key that signed them is retired here, which ends them within ten minutes.
set local role holdfast_owner;

-- What a tenant may do at all, and on which plan: read by the functions that mint, before the tenant is known to row-level
-- security. A tenant without a row is active and on the standard plan. The row outlives the tenant as its tombstone.
create table auth.tenants (
  id uuid primary key,
  state text not null default 'active' check (state in ('active', 'suspended', 'closing', 'erasing', 'erased')),
  plan text not null default 'standard' check (plan ~ '^[a-z][a-z0-9_-]{0,30}$'),
  changed_at timestamptz not null default clock_timestamp()
);

-- `act`: the operator on whose behalf a credential was made. `actor`: whom its holder acts as, if not the key itself.
alter table auth.credentials add column act text, add column actor text;
alter table events.log add column act text;

drop function tenancy.mint(uuid, text, text[], timestamptz, text);
create function tenancy.mint(
  tenant uuid, actor text, scopes text[], expires_at timestamptz, cause text default '', act text default ''
) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  signing record;
  body text;
begin
  -- Printable ASCII only, which every client encoding writes the same; a bar would end a part, a blank end a scope.
  if tenant is null or concat(actor, array_to_string(scopes, ''), cause, act) collate "C" ~ '[^ -{}~]'
     or array_to_string(scopes, '') ~ ' ' then
    raise exception 'a grant needs a tenant, and its parts are printable ASCII without bars' using errcode = 'HF002';
  end if;
  select s.id, s.secret into strict signing from tenancy.signing_keys s where s.retired_at is null;
  body := signing.id || tenant::text || encode(timestamptz_send(expires_at), 'hex')
    || concat_ws('|', actor, array_to_string(scopes, ' '), coalesce(cause, ''), coalesce(act, ''),
      coalesce((select t.plan from auth.tenants t where t.id = tenant), 'standard'));
  return encode(sha256(signing.secret || sha256(signing.secret || convert_to(body, 'utf8'))), 'hex') || body;
end $$;

-- Ends the work at hand for a grant or context that is not genuine. One message for all reasons but expiry, so that it
-- says nothing about keys or tenants. Typed, so that it can stand where a value is wanted.
create function tenancy.refuse(reason text) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
  raise exception '%', reason using errcode = 'HF001';
end $$;

create or replace function tenancy.verified_grant(signed_grant text) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  k bytea := (
    select s.secret from tenancy.signing_keys s
    where s.id = substr(signed_grant, 65, 4) and (s.retired_at is null or s.retired_at > clock_timestamp()));
begin
  return case
    when substr(signed_grant, 1, 64) = encode(sha256(k || sha256(k || convert_to(substr(signed_grant, 65), 'utf8'))), 'hex') then
      case when substr(signed_grant, 105, 16) collate "C" > encode(timestamptz_send(clock_timestamp()), 'hex')
        then substr(signed_grant, 65) else tenancy.refuse('tenant grant expired') end
    else tenancy.refuse('tenant grant refused') end;
end $$;

-- Binds the transaction to the grant's tenant; see the migration that created it for what it resets and why here.
create or replace function tenancy.enter(signed_grant text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  k bytea := (
    select s.secret from tenancy.signing_keys s
    where s.id = substr(signed_grant, 65, 4) and (s.retired_at is null or s.retired_at > clock_timestamp()));
  body bytea := convert_to(substr(signed_grant, 65), 'utf8');
  context text;
begin
  execute 'close all; reset all'; -- Of this function's search_path as well; pg_catalog is searched first on every path.
  perform pg_advisory_unlock_all();
  context := set_config('holdfast.context', case
    when substr(signed_grant, 1, 64) = encode(sha256(k || sha256(k || body)), 'hex') then
      case when substr(signed_grant, 105, 16) collate "C" > encode(timestamptz_send(clock_timestamp()), 'hex')
        then encode(sha256(k || sha256(k || timestamptz_send(transaction_timestamp()) || body)), 'hex') || substr(signed_grant, 65)
        else tenancy.refuse('tenant grant expired') end
    else tenancy.refuse('tenant grant refused') end, true);
end $$;

create or replace function tenancy.tenant_id() returns uuid
language plpgsql stable parallel safe security definer set search_path = pg_catalog, pg_temp as $$
declare
  context text := current_setting('holdfast.context', true);
  k bytea := (select s.secret from tenancy.signing_keys s where s.id = substr(context, 65, 4));
begin
  return (case
    when substr(context, 1, 64) = encode(sha256(k || sha256(k
        || timestamptz_send(transaction_timestamp()) || convert_to(substr(context, 65), 'utf8'))), 'hex')
      then substr(context, 69, 36)
    else tenancy.refuse('no tenant context') end)::uuid;
end $$;

-- The operator who acts in this transaction, as `operator:<name>`, or null.
create function tenancy.act() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select nullif(split_part(tenancy.verified_principal(), '|', 4), '')
$$;

-- The plan of the transaction's tenant when its grant was minted.
create function tenancy.plan() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(nullif(split_part(tenancy.verified_principal(), '|', 5), ''), 'standard')
$$;

-- Everything after the expiry in a grant for the transaction's own tenant: actor|scopes|cause|act|plan. A grant of another
-- tenant is refused like a forged one.
create function tenancy.grant_principal(signed_grant text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  body text := tenancy.verified_grant(signed_grant);
begin
  if substr(body, 5, 36)::uuid <> tenancy.tenant_id() then
    raise exception 'tenant grant refused' using errcode = 'HF001';
  end if;
  return substr(body, 57);
end $$;

create or replace function tenancy.grant_actor(signed_grant text) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select split_part(tenancy.grant_principal(signed_grant), '|', 1)
$$;

grant execute on function tenancy.act(), tenancy.plan(), tenancy.grant_principal(text) to holdfast_app, holdfast_ops, holdfast_log;
grant execute on function tenancy.verified_principal() to holdfast_log;

-- As before, and the operator who acts is written beside the actor.
create or replace function events.append(
  ids uuid[], types text[], schema_versions int[], stream_types text[], stream_ids uuid[], stream_versions bigint[],
  payloads jsonb[], correlation_ids text[], causation_ids text[], traceparents text[],
  grants text[] default null, grant_of int[] default null
) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.tenant_id();
  principals text[] := case when grants is null then array[tenancy.verified_principal()]
    else (select array_agg(tenancy.grant_principal(g.signed) order by g.place) from unnest(grants) with ordinality g (signed, place)) end;
  actors text[] := (select array_agg(split_part(p.principal, '|', 1) order by p.place) from unnest(principals) with ordinality p (principal, place));
  acts text[] := (select array_agg(nullif(split_part(p.principal, '|', 4), '') order by p.place) from unnest(principals) with ordinality p (principal, place));
begin
  insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor, act,
    correlation_id, causation_id, traceparent, occurred_at, data)
  select pg_current_xact_id(), tenant, e.id, e.stream_type, e.stream_id, e.stream_version, e.type, e.schema_version,
    actors[coalesce(grant_of[e.place], 1)], acts[coalesce(grant_of[e.place], 1)], e.correlation_id, e.causation_id,
    e.traceparent, clock_timestamp(), e.payload
  from unnest(ids, types, schema_versions, stream_types, stream_ids, stream_versions, payloads, correlation_ids,
      causation_ids, traceparents)
    with ordinality e (id, type, schema_version, stream_type, stream_id, stream_version, payload, correlation_id,
      causation_id, traceparent, place)
  order by e.place;
end $$;

insert into tenancy.exemptions (rule, object, reason, owner) values
  (1, 'auth.tenants', 'read before the tenant is known, by the functions of schema auth alone', 'tenancy');

-- Refuses work for a tenant that is not open to it. HF004: suspended, or closed and waiting for its erasure: the tenant's
-- own credentials open nothing, while consumers go on. HF005: being erased or gone: nobody but the eraser works in it.
create function auth.refuse_closed(tenant uuid, is_system boolean) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  state text := (select t.state from auth.tenants t where t.id = tenant);
begin
  if state in ('erasing', 'erased') then
    raise exception 'the tenant is gone' using errcode = 'HF005';
  elsif state in ('suspended', 'closing') and not is_system then
    raise exception 'the tenant is suspended' using errcode = 'HF004';
  end if;
end $$;

-- A grant for an API key, or null when the key is unknown, revoked or expired. The grant ends with the key. Only a good
-- key learns that its tenant is suspended (HF004) or gone (HF005).
create or replace function auth.grant_for_key(secret text) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  c auth.credentials;
begin
  select * into c from auth.credentials k
  where k.secret_hash = sha256(convert_to(secret, 'utf8'))
    and k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp());
  if not found then
    return null;
  end if;
  perform auth.refuse_closed(c.tenant_id, false);
  return tenancy.mint(c.tenant_id, coalesce(c.actor, 'api_key:' || c.api_key_id), c.scopes,
    least(clock_timestamp() + interval '5 minutes', c.expires_at), '', c.act);
end $$;

-- A grant for a person, or null without a membership. The caller has verified the token: this rests on it.
create or replace function auth.grant_for_member(issuer text, subject text, tenant uuid) returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
  m auth.memberships;
begin
  select * into m from auth.memberships s where s.issuer = $1 and s.subject = $2 and s.tenant_id = $3;
  if not found then
    return null;
  end if;
  perform auth.refuse_closed(m.tenant_id, false);
  return tenancy.mint(m.tenant_id, 'member:' || m.member_id, m.scopes, clock_timestamp() + interval '5 minutes');
end $$;

-- A grant for work that no person of the tenant asked for: a consumer group, a saga, the operator. `cause` is what set it
-- off (an event or request id), `act` the operator who acts; both travel in the grant.
drop function auth.grant_for_system(text, uuid, text);
create function auth.grant_for_system(consumer text, tenant uuid, cause text, act text default '') returns text
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
  if consumer is null or consumer !~ '^[a-z][a-z0-9_.-]{0,62}$' then
    raise exception 'a system grant needs the name of its consumer' using errcode = 'HF002';
  end if;
  if consumer <> 'eraser' then
    perform auth.refuse_closed(tenant, true);
  end if;
  return tenancy.mint(tenant, 'system:' || consumer, array['*'], clock_timestamp() + interval '5 minutes', cause, act);
end $$;
grant execute on function auth.grant_for_system(text, uuid, text, text) to holdfast_auth;

-- Sets the state and plan of the transaction's tenant; null leaves one as it is. Only for the operator, a sign-up and the
-- eraser: a tenant's own credentials can not reopen it or change what it pays for. Processes forget their grants.
create function auth.set_tenant(state text, plan text) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tenancy.actor() not in ('system:operator', 'system:sign-up', 'system:eraser') then
    raise exception 'only the operator sets the state and plan of a tenant' using errcode = 'HF003';
  end if;
  insert into auth.tenants as t (id, state, plan)
  values (tenancy.tenant_id(), coalesce($1, 'active'), coalesce($2, 'standard'))
  on conflict (id) do update
    set state = coalesce($1, t.state), plan = coalesce($2, t.plan), changed_at = clock_timestamp();
  update auth.revocations set counter = counter + 1;
end $$;
grant execute on function auth.set_tenant(text, text) to holdfast_app;

select tenancy.rotate_signing_key();
