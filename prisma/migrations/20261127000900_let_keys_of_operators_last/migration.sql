-- A key that an operator takes for a tenant may make others, under the operator's name and with an end (see
-- 20261126174000_name_who_holds_a_secret): only who is in a support access leaves nothing behind. 20261127000800_keep_holds_from_support
-- refused those keys as well.
--
-- Safe under load: one function is replaced.
set local role holdfast_owner;

-- A row that is deleted has to be handed on for the deletion to happen; one that comes or changes goes on as before.
create or replace function auth.refuse_lasting() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if coalesce(current_setting('holdfast.context', true), '') <> ''
     and tenancy.act() is not null and tenancy.actor() !~ '^(system:operator$|api_key:)' then
    raise exception 'a support access makes no credential' using errcode = 'HF003';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end $$;
