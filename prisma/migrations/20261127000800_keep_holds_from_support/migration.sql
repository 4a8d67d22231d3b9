-- Whatever text is run in a support access: it lifts no legal hold, orders no erasure again and takes no witness away either. Its
-- scopes refuse the commands; see 20261126220900_keep_the_log_from_support.
--
-- Safe under load: triggers on tables with few rows.
set local role holdfast_owner;

-- A row that is deleted has to be handed on for the deletion to happen; one that comes or changes goes on as before.
create or replace function auth.refuse_lasting() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if coalesce(current_setting('holdfast.context', true), '') <> ''
     and tenancy.act() is not null and tenancy.actor() <> 'system:operator' then
    raise exception 'a support access makes no credential' using errcode = 'HF003';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end $$;

create trigger refuse_lasting_change before update of lifted_at on audit.legal_holds
  for each row execute function auth.refuse_lasting();
create trigger refuse_lasting_change before update of status on audit.subject_erasures
  for each row execute function auth.refuse_lasting();
create trigger refuse_lasting_change before delete on audit.witnesses
  for each row execute function auth.refuse_lasting();
