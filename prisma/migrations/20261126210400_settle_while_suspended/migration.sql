-- Lets a suspended tenant end its holds: what it holds between its accounts it could otherwise neither post nor give back, and
-- a tenant that is to be erased could never become free of them. The grant for it has one scope, `ledger:settle`, which no
-- role and no key can have; the commands that post and void a hold take it, and nothing else does.
--
-- Safe under load: functions only, and those that there are answer as before.
set local role holdfast_owner;

-- Mints for an API key, or null when the key is unknown, revoked or expired. The grant ends with the key. Only a good
-- key learns that its tenant is suspended (HF004) or gone (HF005). A `settling` grant is also for a suspended tenant, and
-- only good for ending holds, if the key may post at all.
create function auth.mint_for_key(secret text, settling boolean) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  c auth.credentials;
  of_member text[];
  posts boolean;
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
  posts := c.scopes && array['*', 'ledger:write'];
  perform auth.refuse_closed(c.tenant_id, settling and posts);
  return tenancy.mint(c.tenant_id, coalesce(c.actor, 'api_key:' || c.api_key_id),
    case when not settling then c.scopes when posts then array['ledger:settle'] else '{}' end,
    least(clock_timestamp() + interval '5 minutes', c.expires_at), '', c.act);
end $$;

-- The same for a person, or null without a membership. The caller has verified the token: this rests on it.
create function auth.mint_for_member(issuer text, subject text, tenant uuid, settling boolean) returns text
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  m auth.memberships;
  posts boolean;
begin
  select * into m from auth.memberships s where s.issuer = $1 and s.subject = $2 and s.tenant_id = $3;
  if not found then
    return null;
  end if;
  posts := m.scopes && array['*', 'ledger:write'];
  perform auth.refuse_closed(m.tenant_id, settling and posts);
  return tenancy.mint(m.tenant_id, 'member:' || m.member_id,
    case when not settling then m.scopes when posts then array['ledger:settle'] else '{}' end,
    clock_timestamp() + interval '5 minutes');
end $$;

create or replace function auth.grant_for_key(secret text) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select auth.mint_for_key(secret, false)
$$;
create or replace function auth.grant_for_member(issuer text, subject text, tenant uuid) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select auth.mint_for_member(issuer, subject, tenant, false)
$$;
create function auth.settling_grant_for_key(secret text) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select auth.mint_for_key(secret, true)
$$;
create function auth.settling_grant_for_member(issuer text, subject text, tenant uuid) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select auth.mint_for_member(issuer, subject, tenant, true)
$$;
grant execute on function auth.settling_grant_for_key(text), auth.settling_grant_for_member(text, text, uuid) to holdfast_auth;

-- For processes of the release before, which may start beside this schema; see 20261126180000_admit_release_before.
insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
select 20, granted.object, 'the release before does not list it, and may start again during the update', 'tenancy',
  clock_timestamp() + interval '30 days'
from unnest(array['auth.settling_grant_for_key', 'auth.settling_grant_for_member']) granted (object)
where exists (select from auth.credentials)
on conflict (rule, object) do nothing;
