-- Counts revocations in each tenant's own row. One row for all of them was a lock that every revocation held until its
-- commit, so one tenant's long transaction could hold up another's; an injected statement could do it on purpose.
--
-- Processes poll the sum, which moves with every commit: counters only grow, and the row outlives its tenant.
-- Safe under load: a column with a constant default is added and functions are replaced, each in an instant. The sum
-- begins at 0 again, which processes of the release before take for one more revocation.
set local role holdfast_owner;

alter table auth.tenants add column revocations bigint not null default 0;
-- Most tenants have never revoked anything.
create index tenants_revocations_idx on auth.tenants (revocations) where revocations > 0;

-- Makes every process forget the grants that it has cached, once this transaction has committed.
create function auth.note_revocation() returns void
language sql set search_path = pg_catalog, pg_temp as $$
  insert into auth.tenants as t (id, revocations) values (tenancy.tenant_id(), 1)
  on conflict (id) do update set revocations = t.revocations + 1
$$;

create or replace function auth.revocation_counter() returns bigint
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(sum(t.revocations), 0)::bigint from auth.tenants t where t.revocations > 0
$$;

-- Every function that counted in the one row: their texts stay as they are but for that statement.
do $$
declare
  counting constant text := 'update auth.revocations set counter = counter + 1;';
  f regprocedure;
begin
  for f in
    select p.oid from pg_proc p where p.pronamespace = 'auth'::regnamespace and strpos(p.prosrc, counting) > 0
  loop
    execute replace(pg_get_functiondef(f), counting, 'perform auth.note_revocation();');
  end loop;
end $$;
drop table auth.revocations;

-- A grant's plan is read from its text by the process that uses it; nothing asks the database.
drop function tenancy.plan();
