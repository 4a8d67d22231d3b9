-- Which tenants a principal may choose among, and which tenant a slug names, both before any tenant is entered.
--
-- Slugs stand in tenants.tenants, which nobody reads without a tenant; `auth.tenants` keeps a copy for the functions of this
-- schema, written by a trigger so that it cannot be forgotten. Safe under load: tenants.tenants is locked for as long as
-- its slugs are copied once, and the index is built on a table of one short row a tenant.
set local role holdfast_owner;

alter table auth.tenants add column slug text unique;

-- The owner is bound by the policies of its own tables, and no tenant is entered here: for this one statement it is not.
alter table tenants.tenants no force row level security;
insert into auth.tenants as t (id, slug)
select tenant_id, slug from tenants.tenants
on conflict (id) do update set slug = excluded.slug;
alter table tenants.tenants force row level security;

-- Keeps the copy in the transaction of the change. A slug that is given up is free at once; processes forget whom it named.
create function auth.record_slug() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    update auth.tenants t set slug = null where t.id = old.tenant_id;
  else
    insert into auth.tenants as t (id, slug) values (new.tenant_id, new.slug)
    on conflict (id) do update set slug = excluded.slug;
  end if;
  if tg_op <> 'INSERT' then
    update auth.revocations set counter = counter + 1;
  end if;
  return null;
end $$;
create trigger record_slug after insert or delete or update of slug on tenants.tenants
  for each row execute function auth.record_slug();

-- The tenants of a principal whose token the caller has verified. Two are enough to know that one has to be chosen.
create function auth.tenants_of(issuer text, subject text) returns setof uuid
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select m.tenant_id from auth.memberships m where m.issuer = $1 and m.subject = $2 order by m.tenant_id limit 2
$$;

-- The tenant that a slug names, or null. Says nothing to a caller whom that tenant does not know: see `tenantOf` in identity.
create function auth.tenant_named(slug text) returns uuid
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select t.id from auth.tenants t where t.slug = $1
$$;

grant execute on function auth.tenants_of(text, text), auth.tenant_named(text) to holdfast_auth;
