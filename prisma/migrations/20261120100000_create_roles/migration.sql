-- Creates the roles of least privilege and takes from PUBLIC what PostgreSQL gives it by default.
--
-- Runs as the administrator; every later migration begins with `set local role holdfast_owner`. Roles belong to the
-- cluster, not to the database, so each is created only where it is missing: a second database finds them there, and
-- two databases that are migrated at once do not fail. Passwords come from configuration, never from a migration.
-- Safe under load: touches no table.
do $$
declare
  wanted text[] := array[
    'holdfast_owner nologin', 'holdfast_log nologin',
    'holdfast_app login', 'holdfast_auth login', 'holdfast_relay login',
    'holdfast_sealer login', 'holdfast_ops login', 'holdfast_jobs login'];
  role text;
begin
  foreach role in array wanted loop
    begin
      execute 'create role ' || role || ' nosuperuser nocreatedb nocreaterole noreplication nobypassrls';
    exception when duplicate_object or unique_violation then
      null; -- Another database of this cluster has created it.
    end;
  end loop;
  -- A superuser may take any role already; a managed database's administrator has to be made a member.
  if not pg_has_role(current_user, 'holdfast_owner', 'member') then
    execute format('grant holdfast_owner to %I', current_user);
  end if;
  if not pg_has_role('holdfast_owner', 'holdfast_log', 'member') then
    grant holdfast_log to holdfast_owner;
  end if;
  execute format('revoke all on database %I from public', current_database());
  execute format('grant connect, create on database %I to holdfast_owner', current_database());
  execute format(
    'grant connect on database %I to holdfast_app, holdfast_auth, holdfast_relay, holdfast_sealer, holdfast_ops, holdfast_jobs',
    current_database());
  -- The longest that any transaction of a process may live: it holds locks and keeps dead rows from being vacuumed.
  -- A setting of the role, because PostgreSQL before 17 refuses the name in a connection's start-up options.
  if current_setting('server_version_num')::int >= 170000 then
    for role in select unnest(array['holdfast_app', 'holdfast_auth', 'holdfast_relay', 'holdfast_ops']) loop
      execute format('alter role %I in database %I set transaction_timeout = ''30s''', role, current_database());
    end loop;
  end if;
end $$;

revoke all on schema public from public;

-- Nothing that the owner creates later is open to everybody: functions are by default.
alter default privileges for role holdfast_owner revoke execute on functions from public;
alter default privileges for role holdfast_log revoke execute on functions from public;

-- BullMQ keeps its queues in a schema of its own and migrates it itself, as the role that owns it.
create schema jobs authorization holdfast_jobs;
