import { statement, type Statement } from '@holdfast/database';

/** What a catalogue query returns for each object that breaks its rule. */
export interface Offence {
  readonly object: string;
  readonly reason: string;
  /** SQL that mends it, for somebody who is a member of holdfast_owner. */
  readonly fix: string;
}

/** One way in which row-level security fails, and the query that finds it. Numbers are those of the README's table. */
export interface CatalogueCheck {
  readonly rule: number;
  readonly title: string;
  readonly statement: Statement<Offence>;
  /** An exemption under that rule exempts the object from this one too: what has no policy needs no certain policy. */
  readonly exemptedUnder?: number;
}

const find = (name: string, sql: string): Statement<Offence> =>
  statement<Offence>(`doctor.find_${name}`, sql);

/**
 * The checks that look at the catalogue, which every role may read: they need no more rights than the application has.
 *
 * A tenant table is one with a column `tenant_id`, or any table that the application may touch.
 */
export const CATALOGUE_CHECKS: readonly CatalogueCheck[] = [
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
         and r.rolname in ('holdfast_app', 'holdfast_auth', 'holdfast_relay', 'holdfast_sealer', 'holdfast_ops')
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
  {
    rule: 9,
    title: 'views have the rights of whoever asks, and no materialised view holds rows of tenants',
    statement: find(
      'views_with_owners_rights',
      `select format('%s.%s', n.nspname, c.relname) as object,
         case c.relkind when 'm' then 'a materialised view has no policies' else 'it reads with the rights of its owner' end as reason,
         case c.relkind when 'm' then format('revoke all on %I.%I from public, %I;', n.nspname, c.relname, current_user)
           else format('alter view %I.%I set (security_invoker = true);', n.nspname, c.relname) end as fix
       from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('v', 'm') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
         and has_table_privilege(c.oid, 'select, insert, update, delete')
         and not (c.relkind = 'v' and coalesce(c.reloptions, '{}') && array['security_invoker=true', 'security_invoker=on'])
       order by 1
       limit 100`,
    ),
  },
  {
    rule: 10,
    title: 'functions with the rights of their owner are few, pinned and closed to the public',
    statement: find(
      'loose_definer_functions',
      `select format('%s.%s', n.nspname, f.proname) as object, flaw.reason,
         format(flaw.fix, f.oid::regprocedure) as fix
       from pg_proc f
       join pg_namespace n on n.oid = f.pronamespace
       cross join lateral (values
         (n.nspname not in ('tenancy', 'auth'), 'it has the rights of its owner outside of tenancy and auth',
           'alter function %s security invoker;'),
         (not exists (select from unnest(f.proconfig) setting where setting like 'search\\_path=%'), 'its search_path is the caller''s',
           'alter function %s set search_path = pg_catalog, pg_temp;'),
         (exists (select from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a where a.grantee = 0),
           'everybody may execute it', 'revoke execute on function %s from public;')) flaw (found, reason, fix)
       where f.prosecdef and flaw.found and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
       order by 1, 2
       limit 100`,
    ),
  },
  {
    rule: 11,
    title: 'a foreign key between tenant tables carries tenant_id on both sides',
    statement: find(
      'foreign_keys_without_tenant',
      `with side as (
         select k.oid, string_agg(format('%I', here.attname), ', ' order by column_of.place) as columns,
           string_agg(format('%I', there.attname), ', ' order by column_of.place) as targets,
           bool_or(here.attname = 'tenant_id' and there.attname = 'tenant_id') as carries
         from pg_constraint k
         cross join unnest(k.conkey, k.confkey) with ordinality column_of (here, there, place)
         join pg_attribute here on here.attrelid = k.conrelid and here.attnum = column_of.here
         join pg_attribute there on there.attrelid = k.confrelid and there.attnum = column_of.there
         where k.contype = 'f'
         group by k.oid
       )
       select format('%s.%s %s', n.nspname, c.relname, k.conname) as object,
         'foreign keys are checked without row-level security, and this one can point into another tenant' as reason,
         format('alter table %I.%I drop constraint %I, add foreign key (tenant_id, %s) references %I.%I (tenant_id, %s);',
           n.nspname, c.relname, k.conname, side.columns, rn.nspname, rc.relname, side.targets) as fix
       from pg_constraint k
       join side on side.oid = k.oid and not side.carries
       join pg_class c on c.oid = k.conrelid
       join pg_namespace n on n.oid = c.relnamespace
       join pg_class rc on rc.oid = k.confrelid
       join pg_namespace rn on rn.oid = rc.relnamespace
       where exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
         and exists (select from pg_attribute a where a.attrelid = rc.oid and a.attname = 'tenant_id' and not a.attisdropped)
       order by 1
       limit 100`,
    ),
  },
  {
    rule: 12,
    title: 'every unique index of a tenant table begins with tenant_id',
    statement: find(
      'unique_indexes_without_tenant',
      `select format('%s.%s', n.nspname, i.relname) as object,
         'a duplicate tells that another tenant has this value' as reason,
         case when k.oid is not null
             then format('alter table %I.%I drop constraint %I; ', n.nspname, c.relname, k.conname)
             else format('drop index %I.%I; ', n.nspname, i.relname) end
           || format('create unique index on %I.%I (tenant_id, %s);', n.nspname, c.relname,
                (select string_agg(pg_get_indexdef(x.indexrelid, place, false), ', ' order by place)
                 from generate_series(1, x.indnkeyatts) place)) as fix
       from pg_index x
       join pg_class i on i.oid = x.indexrelid
       join pg_class c on c.oid = x.indrelid
       join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
       left join pg_constraint k on k.conindid = i.oid and k.contype in ('p', 'u', 'x')
       where (x.indisunique or x.indisexclusion) and x.indkey[0] <> a.attnum
         and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
       order by 1
       limit 100`,
    ),
  },
  {
    rule: 14,
    title: 'partitions are reached through their parent only',
    statement: find(
      'reachable_partitions',
      `select format('%s.%s', n.nspname, c.relname) as object,
         'the application may name this partition, and the policies of its parent do not bind it then' as reason,
         format('revoke all on %I.%I from public, %I;', n.nspname, c.relname, current_user) as fix
       from pg_inherits h
       join pg_class c on c.oid = h.inhrelid and c.relkind in ('r', 'p', 'f')
       join pg_namespace n on n.oid = c.relnamespace
       where has_table_privilege(c.oid, 'select, insert, update, delete, truncate, references, trigger')
         or has_any_column_privilege(c.oid, 'select, insert, update, references')
       order by 1
       limit 100`,
    ),
  },
  {
    rule: 15,
    title: 'no process may truncate, refer to, hang triggers on or create anything',
    statement: find(
      'shaping_grants',
      `with process_role as (
         select r.oid, r.rolname
         from pg_roles r
         where (r.rolname = current_user
             or r.rolname in ('holdfast_app', 'holdfast_auth', 'holdfast_relay', 'holdfast_sealer', 'holdfast_ops'))
           and not r.rolsuper
       )
       select format('%s.%s', n.nspname, c.relname) as object, format('%s may %s it', p.rolname, privilege) as reason,
         format('revoke %s on %I.%I from public, %I;', privilege, n.nspname, c.relname, p.rolname) as fix
       from process_role p
       cross join unnest(array['truncate', 'references', 'trigger']) privilege
       cross join pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
         and has_table_privilege(p.oid, c.oid, privilege)
       union all
       select n.nspname, p.rolname || ' may create in this schema',
         format('revoke create on schema %I from public, %I;', n.nspname, p.rolname)
       from process_role p
       cross join pg_namespace n
       where n.nspname !~ '^pg_(toast|temp)' and has_schema_privilege(p.oid, n.oid, 'create')
       union all
       select current_database(), format('%s may %s in this database', p.rolname, privilege),
         format('revoke %s on database %I from public, %I;', privilege, current_database(), p.rolname)
       from process_role p
       cross join unnest(array['create', 'temporary']) privilege
       where has_database_privilege(p.oid, current_database(), privilege)
       order by 1, 2
       limit 100`,
    ),
  },
];
