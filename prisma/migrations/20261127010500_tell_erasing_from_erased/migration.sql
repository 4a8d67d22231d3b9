-- Says whether a tenant that is closed for good is being erased yet. Its erasure is put off where something was begun in it too late to be
-- seen, a hold of a payment for one: whoever gives that back waits for the one or the other.
--
-- Safe under load: replaces a function. The release before does not read the detail.
set local role holdfast_owner;

create or replace function auth.refuse_closed(tenant uuid, is_system boolean) returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  state text := (select t.state from auth.tenants t where t.id = tenant);
begin
  if state in ('erasing', 'erased') then
    raise exception 'the tenant is gone' using errcode = 'HF005', detail = state;
  elsif state in ('suspended', 'closing') and not is_system then
    raise exception 'the tenant is suspended' using errcode = 'HF004';
  end if;
end $$;
