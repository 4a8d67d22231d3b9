-- Support access: an operator acts for a tenant, for a reason that the tenant can read and for half an hour at most.
--
-- The limits stand here as well as in the code: only the operator opens one, by name, and what the credential may do and
-- how long it lives is checked where it is stored. Safe under load: creates only, and functions are replaced.
set local role holdfast_owner;

create table identity.support_accesses (
  tenant_id uuid not null,
  id uuid not null,
  -- Who acts, as `operator:<name>`.
  operator text not null,
  -- For whom; null: as `support:<id>`.
  member_id uuid,
  scopes text[] not null,
  -- Free text, so it stands here and in no event.
  reason text not null check (length(reason) between 10 and 500),
  started_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  ended_at timestamptz,
  ended_by text,
  primary key (tenant_id, id)
);
select tenancy.protect('identity.support_accesses');
grant select, insert, update (ended_at, ended_by) on identity.support_accesses to holdfast_app;

-- Stores the credential of a support access of the transaction's tenant; answers its end and its scopes, and no row when
-- there is no such member. Its holder acts as `support:<id>`, or as the member, and the operator's name stands beside that
-- in every grant. It lasts half an hour at most and holds nothing that would outlast it: whoever could make a key, or a
-- member, could stay for ever. For a member it holds at most what the member does: `narrow` leaves out the rest.
create function auth.open_support_access(
  access_id uuid, secret_hash bytea, scopes text[], minutes int, member_id uuid, narrow boolean
) returns table (ends_at timestamptz, held text[])
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid := tenancy.tenant_id();
  act text := tenancy.act();
  of_member text[] := (
    select array_agg(distinct scope) from auth.memberships m cross join unnest(m.scopes) scope
    where m.tenant_id = tenant and m.member_id = $5);
begin
  if tenancy.actor() <> 'system:operator' or act is null then
    raise exception 'only an operator with a name opens a support access' using errcode = 'HF003';
  elsif minutes is null or minutes not between 1 and 30 then
    raise exception 'a support access lasts 30 minutes at most' using errcode = 'HF003';
  elsif member_id is not null and of_member is null then
    return;
  end if;
  held := case when narrow and not '*' = any (of_member)
    then array(select scope from unnest(scopes) scope where scope = any (of_member)) else scopes end;
  if cardinality(held) = 0 or held && array['*', 'operator', 'keys:write', 'members:write', 'roles:write', 'issuers:write', 'support:write']
     or not (member_id is null or '*' = any (of_member) or held <@ of_member) then
    raise exception 'a support access holds nothing that outlasts it, or that its member lacks' using errcode = 'HF003';
  end if;
  ends_at := clock_timestamp() + make_interval(mins => minutes);
  insert into auth.credentials (secret_hash, tenant_id, api_key_id, scopes, expires_at, act, actor)
  values (secret_hash, tenant, access_id, held, ends_at, act,
    case when member_id is null then 'support:' || access_id else 'member:' || member_id end);
  return next;
end $$;
grant execute on function auth.open_support_access(uuid, bytea, text[], int, uuid, boolean) to holdfast_app;

-- Who acts in support makes and rotates no key, whatever the code above allows.
create function auth.refuse_lasting() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tenancy.act() is not null and tenancy.actor() <> 'system:operator' then
    raise exception 'a support access makes no credential' using errcode = 'HF003';
  end if;
  return new;
end $$;
create trigger refuse_lasting before insert on auth.credentials for each row execute function auth.refuse_lasting();

-- As before; and who acts for a member is let in no longer than the member.
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
  if c.actor like 'member:%' and not exists (
    select from auth.memberships m where m.tenant_id = c.tenant_id and 'member:' || m.member_id = c.actor
  ) then
    return null;
  end if;
  perform auth.refuse_closed(c.tenant_id, false);
  return tenancy.mint(c.tenant_id, coalesce(c.actor, 'api_key:' || c.api_key_id), c.scopes,
    least(clock_timestamp() + interval '5 minutes', c.expires_at), '', c.act);
end $$;
