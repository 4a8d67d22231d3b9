-- A support access holds neither `audit:write` nor `personal:write`: a witness that it named would go on receiving, and what it had
-- erased or pruned would be gone, long after its half hour.
--
-- Safe under load: replaces one function, and triggers on tables with few rows.
set local role holdfast_owner;

create or replace function auth.open_support_access(access_id uuid, secret_hash bytea, scopes text[], minutes int, member_id uuid, narrow boolean)
returns table (ends_at timestamptz, held text[])
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
  if cardinality(held) = 0 or held && array['*', 'operator', 'keys:write', 'members:write', 'roles:write', 'issuers:write', 'support:write',
       'webhooks:write', 'audit:write', 'personal:write']
     or not (member_id is null or '*' = any (of_member) or held <@ of_member) then
    raise exception 'a support access holds nothing that outlasts it, or that its member lacks' using errcode = 'HF003';
  end if;
  ends_at := clock_timestamp() + make_interval(mins => minutes);
  insert into auth.credentials (secret_hash, tenant_id, api_key_id, scopes, expires_at, act, actor)
  values (secret_hash, tenant, access_id, held, ends_at, act,
    case when member_id is null then 'support:' || access_id else 'member:' || member_id end);
  return next;
end $$;

-- Whatever the code above says of its scopes; see 20261126194300_keep_webhooks_from_support.
create trigger refuse_lasting before insert on audit.witnesses for each row execute function auth.refuse_lasting();
create trigger refuse_lasting before insert or update of keep_days on audit.retention
  for each row execute function auth.refuse_lasting();
create trigger refuse_lasting before insert on audit.subject_erasures for each row execute function auth.refuse_lasting();
create trigger refuse_lasting before insert on audit.legal_holds for each row execute function auth.refuse_lasting();
