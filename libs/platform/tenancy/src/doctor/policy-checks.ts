import { type CatalogueCheck, find } from './catalogue-check';

/**
 * Whether the policies are there, have their shape, and bind whom they have to.
 *
 * A tenant table is one with a column `tenant_id`, or any table that the application may touch.
 */
export const POLICY_CHECKS: readonly CatalogueCheck[] = [
  {
    rule: 1,
    title: 'row-level security binds this role on every tenant table',
    statement: find(
      'unprotected_tables',
      `select format('%s.%s', n.nspname, c.relname) as object,
         case when c.relrowsecurity then 'row-level security does not bind ' || current_user else 'row-level security is off' end as reason,
         case when c.relrowsecurity then format('alter table %I.%I force row level security;', n.nspname, c.relname)
           when exists (select from pg_policy p where p.polrelid = c.oid)
             then format('alter table %I.%I enable row level security;', n.nspname, c.relname)
           else format('select tenancy.protect(''%I.%I'');', n.nspname, c.relname) end as fix
       from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
         and not row_security_active(c.oid)
         and (exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
           or has_table_privilege(c.oid, 'select, insert, update, delete, truncate')
           or has_any_column_privilege(c.oid, 'select, insert, update'))
       order by 1
       limit 100`,
    ),
  },
  {
    rule: 2,
    title: 'no role of a process can step around the policies, or become another role',
    statement: find(
      'powerful_roles',
      `with process_role as (
         select r.oid, r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication
         from pg_roles r
         where r.rolname = current_user or r.rolname like 'holdfast\\_%'
       )
       select p.rolname::text as object, 'it has ' || attribute.name as reason,
         format('alter role %I no%s;', p.rolname, attribute.name) as fix
       from process_role p
       cross join lateral (values ('superuser', p.rolsuper), ('bypassrls', p.rolbypassrls), ('createrole', p.rolcreaterole),
         ('createdb', p.rolcreatedb), ('replication', p.rolreplication)) attribute (name, held)
       where attribute.held
       union all
       select p.rolname, 'it can become ' || other.rolname, format('revoke %I from %I;', other.rolname, p.rolname)
       from process_role p
       join pg_roles other on other.oid <> p.oid and pg_has_role(p.oid, other.oid, 'member')
       where not p.rolsuper and p.rolname not in ('holdfast_owner', 'holdfast_log')
       order by 1, 2
       limit 100`,
    ),
  },
  {
    rule: 3,
    title: 'the policies bind the owner of every tenant table, and no process owns one',
    exemptedUnder: 1,
    statement: find(
      'owner_bypasses',
      `select format('%s.%s', n.nspname, c.relname) as object, 'its owner is not bound by its policies' as reason,
         format('alter table %I.%I force row level security;', n.nspname, c.relname) as fix
       from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
         and not c.relforcerowsecurity
         and (exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
           or has_table_privilege(c.oid, 'select, insert, update, delete'))
       union all
       select format('%s.%s', n.nspname, c.relname), 'it belongs to ' || r.rolname,
         format('alter table %I.%I owner to holdfast_owner;', n.nspname, c.relname)
       from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       join pg_roles r on r.oid = c.relowner
       where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
         and r.rolname in ('holdfast_app', 'holdfast_auth', 'holdfast_relay', 'holdfast_sealer', 'holdfast_ops', 'holdfast_jobs')
         and not (n.nspname = 'jobs' and r.rolname = 'holdfast_jobs')
       order by 1, 2
       limit 100`,
    ),
  },
  {
    rule: 4,
    title: 'the policies of a protected table have the one shape that tenancy.protect gives',
    exemptedUnder: 1,
    statement: find(
      'odd_policies',
      `with policy as (
         select p.polrelid, p.polname::text as name, p.polpermissive as permissive, p.polcmd as command,
           pg_get_expr(p.polqual, p.polrelid) as visible, pg_get_expr(p.polwithcheck, p.polrelid) as writable,
           array(select coalesce(r.rolname, 'public')::text
                 from unnest(p.polroles) g (oid) left join pg_roles r on r.oid = g.oid order by 1) as roles
         from pg_policy p
       ), protected as (
         select c.oid, n.nspname, c.relname, members.names as members
         from pg_class c
         join pg_namespace n on n.oid = c.relnamespace
         -- A role that reads across tenants here is a reader and no member.
         cross join lateral (
           select array(select name from unnest(array['holdfast_app', 'holdfast_ops', 'holdfast_owner']) name
                        where name <> 'holdfast_ops'
                          or not exists (select from policy p where p.polrelid = c.oid and p.name = 'holdfast_ops_reads')
                        order by 1) as names) members
         where c.relkind in ('r', 'p') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
           and (c.relrowsecurity or exists (select from policy p where p.polrelid = c.oid))
       ), shape as (
         select t.oid, wanted.name, wanted.permissive, '*'::"char" as command, wanted.condition as visible, wanted.condition as writable,
           t.members as roles
         from protected t
         cross join (values ('tenant_isolation', false, '(tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))'),
           ('tenant_access', true, 'true')) wanted (name, permissive, condition)
         union all
         select t.oid, reader || '_reads', true, 'r', 'true', null, array[reader]
         from protected t
         cross join unnest(array['holdfast_relay', 'holdfast_sealer', 'holdfast_ops']) reader
       )
       select format('%s.%s', t.nspname, t.relname) as object,
         'it lacks the canonical ' || string_agg(s.name, ' and ' order by s.name) as reason,
         coalesce((select string_agg(format('drop policy %I on %I.%I; ', p.name, t.nspname, t.relname), '' order by p.name)
          from policy p
          where p.polrelid = t.oid and p.name in (select each.name from shape each where each.oid = t.oid)), '')
           || format('select tenancy.protect(''%I.%I'', ''{%s}'');', t.nspname, t.relname,
             (select string_agg(p.roles[1], ',' order by p.name) from policy p where p.polrelid = t.oid and p.name ~ '_reads$')) as fix
       from protected t
       join shape s on s.oid = t.oid and s.name in ('tenant_isolation', 'tenant_access')
       where not exists (
         select from policy p
         where (p.polrelid, p.name, p.permissive, p.command, p.visible, p.writable, p.roles)
           = (s.oid, s.name, s.permissive, s.command, s.visible, s.writable, s.roles))
       group by t.oid, t.nspname, t.relname
       union all
       select format('%s.%s %s', t.nspname, t.relname, p.name), 'tenancy.protect makes no such policy',
         format('drop policy %I on %I.%I;', p.name, t.nspname, t.relname)
       from protected t
       join policy p on p.polrelid = t.oid and p.name not in ('tenant_isolation', 'tenant_access')
       where not exists (
         select from shape s
         where (s.oid, s.name, s.permissive, s.command, s.visible, s.roles)
           = (p.polrelid, p.name, p.permissive, p.command, p.visible, p.roles) and p.writable is null)
       order by 1, 2
       limit 100`,
    ),
  },
];
