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

-- What PostgreSQL lets everybody do in an ordinary SELECT, and one injected statement could turn on other tenants: keep
-- a session-level advisory lock (BullMQ and our own code take transaction-level ones), leave a large object, end or
-- cancel the connections of the role's other transactions, or write into the stream of logical replication. Where the
-- administrator is no superuser these are warnings and nothing is revoked; each transaction begins with a reset, so
-- isolation does not rest on it.
revoke execute on function
  pg_advisory_lock(bigint), pg_advisory_lock(int, int), pg_advisory_lock_shared(bigint), pg_advisory_lock_shared(int, int),
  pg_try_advisory_lock(bigint), pg_try_advisory_lock(int, int),
  pg_try_advisory_lock_shared(bigint), pg_try_advisory_lock_shared(int, int),
  lo_creat(int), lo_create(oid), lo_from_bytea(oid, bytea), lo_open(oid, int), lo_put(oid, bigint, bytea), lo_unlink(oid),
  pg_cancel_backend(int), pg_terminate_backend(int, bigint),
  pg_logical_emit_message(boolean, text, text, boolean), pg_logical_emit_message(boolean, text, bytea, boolean)
  from public;

-- Nothing that the owner creates later is open to everybody: functions are by default.
alter default privileges for role holdfast_owner revoke execute on functions from public;
alter default privileges for role holdfast_log revoke execute on functions from public;

-- BullMQ keeps its queues in a schema of its own and migrates it itself, as the role that owns it.
create schema jobs authorization holdfast_jobs;
