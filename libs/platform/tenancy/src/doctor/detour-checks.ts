import { type CatalogueCheck, find } from './catalogue-check';

/** Ways around the policies: views, functions, foreign keys, unique indexes, partitions and grants. */
export const DETOUR_CHECKS: readonly CatalogueCheck[] = [
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
    rule: 16,
    title: 'what is exempted from rule 12 decides no conflict between tenants',
    statement: find(
      'arbiters_without_tenant',
      `select format('%s.%s', n.nspname, i.relname) as object,
         'the application may insert, and a conflict tells it about a row of another tenant' as reason,
         format('revoke insert on %I.%I from public, %I;', n.nspname, c.relname, current_user) as fix
       from pg_index x
       join pg_class i on i.oid = x.indexrelid
       join pg_class c on c.oid = x.indrelid
       join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
       join tenancy.exemptions e on e.rule = 12 and e.object = format('%s.%s', n.nspname, i.relname)
       where (x.indisunique or x.indisexclusion) and x.indkey[0] <> a.attnum
         and (has_table_privilege(c.oid, 'insert') or has_any_column_privilege(c.oid, 'insert'))
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
             or r.rolname in ('holdfast_app', 'holdfast_auth', 'holdfast_relay', 'holdfast_sealer', 'holdfast_ops', 'holdfast_jobs'))
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
         and not (n.nspname = 'jobs' and p.rolname = 'holdfast_jobs')
       union all
       select n.nspname, p.rolname || ' may create in this schema',
         format('revoke create on schema %I from public, %I;', n.nspname, p.rolname)
       from process_role p
       cross join pg_namespace n
       where n.nspname !~ '^pg_(toast|temp)' and has_schema_privilege(p.oid, n.oid, 'create')
         and not (n.nspname = 'jobs' and p.rolname = 'holdfast_jobs')
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
  {
    rule: 18,
    title: 'an index that begins with tenant_id finds the rows of a tenant',
    severity: 'warning',
    statement: find(
      'tables_without_tenant_index',
      `select format('%s.%s', n.nspname, c.relname) as object,
         'no index begins with tenant_id, so that a statement reads the rows of every tenant to show those of one' as reason,
         format('create index on %I.%I (tenant_id);', n.nspname, c.relname) as fix
       from pg_class c
       join pg_namespace n on n.oid = c.relnamespace
       join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
       where c.relkind in ('r', 'p') and c.relrowsecurity and n.nspname <> 'jobs'
         and not exists (
           select from pg_index x where x.indrelid = c.oid and x.indkey[0] = a.attnum and x.indisvalid and x.indpred is null)
       order by 1
       limit 100`,
    ),
  },
];
