import { statement } from '@holdfast/database';

/** One privilege that a role, or PUBLIC, has according to the catalogue. */
export interface Granted {
  readonly role: string;
  readonly kind: 'schema' | 'table' | 'sequence' | 'routine';
  /** Schema and name. */
  readonly object: string;
  /** The same as GRANT wants it: quoted, and a routine with the types of its arguments. */
  readonly target: string;
  /** As in GRANT, or `ownership`. */
  readonly privilege: string;
  readonly column_name: string | null;
  readonly is_grantable: boolean;
}

/**
 * Every privilege of our roles and of PUBLIC, but for two sorts: what PostgreSQL and its extensions give by themselves
 * (`pg_init_privs`, or the default), and what holdfast_jobs and PUBLIC have inside schema jobs, which is closed and where
 * BullMQ makes what it likes. The views of information_schema show nobody more than they may see.
 *
 * Read from the access lists and not by `has_…_privilege`: they say to whom a grant was made, so that the fix takes that
 * one back. An owner's entry in the list of its own object counts as ownership.
 *
 * A limit far above what can be: with 20 tables for each of 7 roles there are some 300.
 */
export const LIST_GRANTED = statement<Granted>(
  'doctor.list_granted',
  `with object as (
     select 'pg_namespace'::regclass as catalogue, n.oid, 0 as place, n.nspname as namespace, 'schema' as kind,
       n.nspname::text as name, n.nspowner as owner, n.nspacl as acl, null::text as column_name, false as is_builtin
     from pg_namespace n
     union all
     select 'pg_class'::regclass, c.oid, 0, n.nspname, case c.relkind when 'S' then 'sequence' else 'table' end,
       format('%s.%s', n.nspname, c.relname), c.relowner, c.relacl, null, false
     from pg_class c
     join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
     union all
     select 'pg_class'::regclass, c.oid, a.attnum, n.nspname, 'table', format('%s.%s', n.nspname, c.relname), c.relowner,
       a.attacl, quote_ident(a.attname), false
     from pg_attribute a
     join pg_class c on c.oid = a.attrelid
     join pg_namespace n on n.oid = c.relnamespace
     where a.attacl is not null and not a.attisdropped
     union all
     select 'pg_proc'::regclass, f.oid, 0, n.nspname, 'routine', format('%s.%s', n.nspname, f.proname), f.proowner,
       coalesce(f.proacl, acldefault('f', f.proowner)), null,
       -- Below 16384 are the objects that initdb made.
       f.oid < 16384 or exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e')
     from pg_proc f
     join pg_namespace n on n.oid = f.pronamespace
     where f.proacl is not null or f.oid >= 16384
   ), held as (
     select o.*, a.grantee, a.privilege_type, a.is_grantable
     from object o
     cross join lateral aclexplode(o.acl) a
     where a.grantee <> o.owner
     union all
     select o.*, o.owner, 'OWNERSHIP', false from object o where o.column_name is null
   )
   select coalesce(quote_ident(r.rolname), 'public') as role, h.kind, h.name as object,
     case h.kind when 'schema' then quote_ident(h.name) when 'routine' then h.oid::regprocedure::text
       else h.oid::regclass::text end as target,
     lower(h.privilege_type) as privilege, h.column_name, h.is_grantable
   from held h
   left join pg_roles r on r.oid = h.grantee
   left join pg_init_privs i on (i.classoid, i.objoid, i.objsubid) = (h.catalogue, h.oid, h.place)
   where (h.grantee = 0 or r.rolname = current_user or r.rolname like 'holdfast\\_%')
     and r.rolname is distinct from 'holdfast_owner' and r.rolsuper is not true
     and not (h.namespace = 'jobs' and h.kind <> 'schema' and (h.grantee = 0 or r.rolname = 'holdfast_jobs'))
     and h.namespace <> 'information_schema' and h.namespace !~ '^pg_(toast|temp)'
     and not exists (
       select from aclexplode(coalesce(i.initprivs, case when h.is_builtin then acldefault('f', h.owner) end)) a
       where (a.grantee, a.privilege_type) = (h.grantee, h.privilege_type))
   order by 1, 3, 5, 6
   limit 5000`,
);
