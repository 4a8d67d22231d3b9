import { type CatalogueCheck, find } from './catalogue-check';

/** Privileges that hang on no table, function or schema of ours. Those that do are in `privileges.ts`. */
export const PRIVILEGE_CHECKS: readonly CatalogueCheck[] = [
  {
    rule: 17,
    title: 'what the first migration takes from everybody stays taken',
    statement: find(
      'reopened_functions',
      `select f.oid::regprocedure::text as object,
         'everybody may execute it, and one statement could work on other tenants'' sessions with it' as reason,
         format('revoke execute on function %s from public;', f.oid::regprocedure) as fix
       from pg_proc f
       where f.pronamespace = 'pg_catalog'::regnamespace
         and f.proname in ('pg_advisory_lock', 'pg_advisory_lock_shared', 'pg_try_advisory_lock', 'pg_try_advisory_lock_shared',
           'lo_creat', 'lo_create', 'lo_from_bytea', 'lo_open', 'lo_put', 'lo_unlink',
           'pg_cancel_backend', 'pg_terminate_backend', 'pg_logical_emit_message')
         and exists (select from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a where a.grantee = 0)
       order by 1
       limit 100`,
    ),
  },
  {
    rule: 17,
    title: 'nothing reaches past the policies, to other databases, to files or to large objects',
    statement: find(
      'ways_out',
      `select e.extname::text as object, 'it brings functions for everybody that read what no policy guards' as reason,
         format('drop extension %I cascade;', e.extname) as fix
       from pg_extension e
       where e.extname in ('adminpack', 'dblink', 'file_fdw', 'lo', 'pageinspect', 'pgrowlocks', 'postgres_fdw', 'xml2')
       union all
       select 'language ' || l.lanname, 'its functions run with the rights of the server', format('drop language %I cascade;', l.lanname)
       from pg_language l
       where not l.lanpltrusted and l.lanname not in ('internal', 'c')
       union all
       select 'large object ' || m.oid, 'large objects have no policies', format('select lo_unlink(%s);', m.oid)
       from pg_largeobject_metadata m
       order by 1
       limit 100`,
    ),
  },
  {
    rule: 20,
    title: 'nothing is set for a role, or for everybody, but how long things may last, and UTC',
    statement: find(
      'role_settings',
      `select format('%s %s', coalesce(r.rolname, 'every role'), split_part(setting, '=', 1)) as object,
         'it is set to ' || substr(setting, strpos(setting, '=') + 1)
           || ', and each transaction begins by going back to that' as reason,
         case when r.oid is null and s.setdatabase <> 0 then format('alter database %I', d.datname)
           else format('alter role %s%s', coalesce(quote_ident(r.rolname), 'all'), ' in database ' || quote_ident(d.datname)) end
           || format(' reset %I;', split_part(setting, '=', 1)) as fix
       from pg_db_role_setting s
       cross join unnest(s.setconfig) setting
       left join pg_roles r on r.oid = s.setrole
       left join pg_database d on d.oid = s.setdatabase
       where (s.setdatabase = 0 or d.datname = current_database())
         and (s.setrole = 0 or r.rolname = current_user or r.rolname like 'holdfast\\_%')
         and setting <> 'TimeZone=UTC' and split_part(setting, '=', 1) not in
           ('transaction_timeout', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')
       order by 1, 3
       limit 100`,
    ),
  },
  {
    rule: 20,
    title: 'no process may set what PostgreSQL keeps for superusers',
    statement: find(
      'parameter_grants',
      `select p.parname as object, format('%s may %s it', coalesce(r.rolname, 'everybody'), lower(a.privilege_type)) as reason,
         format('revoke %s on parameter %s from %s;', lower(a.privilege_type), p.parname, coalesce(quote_ident(r.rolname), 'public')) as fix
       from pg_parameter_acl p
       cross join lateral aclexplode(p.paracl) a
       left join pg_roles r on r.oid = a.grantee
       where (a.grantee = 0 or r.rolname = current_user or r.rolname like 'holdfast\\_%') and r.rolsuper is not true
       order by 1, 2
       limit 100`,
    ),
  },
  {
    rule: 20,
    title: 'what a migration creates is open to nobody before it says so',
    statement: find(
      'default_grants',
      `select format('%s %s', owner.rolname, kind.name) as object,
         format('%s will have %s on what %s creates', coalesce(r.rolname, 'everybody'), lower(a.privilege_type), owner.rolname) as reason,
         format('alter default privileges for role %I%s revoke %s on %s from %s;', owner.rolname, ' in schema ' || quote_ident(n.nspname),
           lower(a.privilege_type), kind.name, coalesce(quote_ident(r.rolname), 'public')) as fix
       from (
         select d.defaclrole as owner, d.defaclnamespace as namespace, d.defaclobjtype as type, d.defaclacl as acl from pg_default_acl d
         union all
         -- Without an entry PostgreSQL's own default holds, by which everybody may execute.
         select r.oid, 0, 'f', acldefault('f', r.oid) from pg_roles r
         where r.rolname in ('holdfast_owner', 'holdfast_log') and not exists (
           select from pg_default_acl d where (d.defaclrole, d.defaclnamespace, d.defaclobjtype) = (r.oid, 0, 'f'))
       ) d
       join (values ('r', 'tables'), ('S', 'sequences'), ('f', 'functions'), ('n', 'schemas')) kind (type, name)
         on kind.type::"char" = d.type
       join pg_roles owner on owner.oid = d.owner
       left join pg_namespace n on n.oid = d.namespace
       cross join lateral aclexplode(d.acl) a
       left join pg_roles r on r.oid = a.grantee
       where a.grantee <> d.owner and (a.grantee = 0 or r.rolname like 'holdfast\\_%')
       order by 1, 2
       limit 100`,
    ),
  },
  {
    rule: 20,
    severity: 'warning',
    title: 'nothing is published to subscribers, whom no policy binds, but what is appended to the log',
    statement: find(
      'publications',
      `select p.pubname::text as object, flaw.reason || ', and no policy binds a subscriber' as reason,
         case when p.pubname = 'holdfast_events' and not p.puballtables
           then 'alter publication holdfast_events set table events.log; alter publication holdfast_events set (publish = ''insert'');'
           else format('drop publication if exists %I;', p.pubname) end as fix
       from pg_publication p
       cross join lateral (values
         (p.pubname <> 'holdfast_events', 'Holdfast has not made it'),
         (p.puballtables or exists (select from pg_publication_namespace n where n.pnpubid = p.oid), 'it publishes every table'),
         (exists (select from pg_publication_rel r where r.prpubid = p.oid and r.prrelid <> to_regclass('events.log')),
           'it publishes more than the log'),
         (p.pubupdate or p.pubdelete or p.pubtruncate, 'it publishes more than what is appended')) flaw (found, reason)
       where flaw.found
       order by 1, 2
       limit 100`,
    ),
  },
];
