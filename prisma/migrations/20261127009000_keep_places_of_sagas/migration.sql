-- Keeps the place of a saga, and what payments and steps in other tenants have noted, from every grant but that of the part of the system
-- whose they are. Steps in another tenant are done on the word of the saga's row: who could write that, by a statement injected into a
-- request of the tenant that pays, would have the payee's half posted and then its own half voided; who could write which hold a payment
-- has, would have another one posted in its place.
--
-- What tenants do themselves stays as it is: they begin sagas and payments, ask to cancel, and have what waits for an operator go on.
--
-- Safe under load: functions, and triggers on tables whose locks are taken for a moment. The release before writes the same under the
-- same grants.
set local role holdfast_owner;

-- Refuses every grant but that of the part of the system that is named.
create function tenancy.require_system() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tenancy.actor() <> 'system:' || tg_argv[0] then
    raise exception 'only % writes so in %.%', tg_argv[0], tg_table_schema, tg_table_name using errcode = 'HF003';
  end if;
  return new; -- Which is null for a whole statement.
end $$;
revoke execute on function tenancy.require_system() from public;

-- A saga is moved by the module that its name begins with. Whoever steers one has what waits for an operator go on where it stands. For a
-- statement and not for each row: who the grant names is told by its signature, which costs as much as a move of many sagas.
create function sagas.keep_places() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  actor constant text := tenancy.actor();
begin
  if exists (select from moved m where 'system:' || split_part(m.name, '.', 1) <> actor)
      and exists (
        select from moved m
        join were w on w.id = m.id
        where (m.state, m.backward, m.place, m.intended, m.results) <> (w.state, w.backward, w.place, w.intended, w.results)
          and not (w.state = 'needs_operator' and m.state = case when w.backward then 'compensating' else 'running' end
            and (m.backward, m.place, m.intended, m.results) = (w.backward, w.place, w.intended, w.results))) then
    raise exception 'only its module moves a saga' using errcode = 'HF003';
  end if;
  return null;
end $$;
revoke execute on function sagas.keep_places() from public;

create trigger kept_update after update on sagas.sagas referencing old table as were new table as moved for each statement
  when (current_user = 'holdfast_app') execute function sagas.keep_places();

-- Of a saga that begins, and of what was done in a tenant for a saga of another.
create function sagas.keep_module() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tenancy.actor() <> 'system:' || split_part(new.name, '.', 1) then
    raise exception 'only its module writes this of saga %', new.name using errcode = 'HF003';
  end if;
  return new;
end $$;
revoke execute on function sagas.keep_module() from public;

create trigger kept_insert before insert on sagas.sagas for each row
  when (current_user = 'holdfast_app'
    and (new.state, new.backward, new.place, new.intended, new.results) <> ('running', false, 0, false, '{}'))
  execute function sagas.keep_module();
create trigger kept before insert or update on sagas.participations for each row
  when (current_user = 'holdfast_app') execute function sagas.keep_module();

-- Who asks for a payment writes the half that begins it; everything else is written by its steps.
create trigger kept_insert before insert on payments.payments for each row
  when (current_user = 'holdfast_app' and (new.direction, new.status, new.hold_id is null, new.posted_at is null)
    <> ('outgoing', 'pending', true, true))
  execute function tenancy.require_system('payments');
create trigger kept_update before update on payments.payments for each statement
  when (current_user = 'holdfast_app') execute function tenancy.require_system('payments');
-- Most steps find the row there, and insert none.
create trigger kept after insert or update on payments.clearings for each row
  when (current_user = 'holdfast_app') execute function tenancy.require_system('payments');
