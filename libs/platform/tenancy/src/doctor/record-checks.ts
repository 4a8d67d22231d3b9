import { type CatalogueCheck, find } from './catalogue-check';

/** Whether a change of a tenant table has to be announced before it can be committed. */
export const RECORD_CHECKS: readonly CatalogueCheck[] = [
  {
    rule: 26,
    title: 'every protected table is recorded, or says why not',
    statement: find(
      'unrecorded_tables',
      `with protected as (
         select c.oid, format('%I.%I', n.nspname, c.relname) as name
         from pg_class c
         join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and c.relrowsecurity and not c.relispartition and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
           and not exists (select from tenancy.exemptions x where x.rule = 26 and x.object = format('%s.%s', n.nspname, c.relname))
       ), wanted as (
         select p.oid, p.name, change.name as change, change.bit, t.tgname, t.tgenabled,
           case t.tgtype
             when 1 | change.bit then t.tgdeferrable and t.tginitdeferred and t.tgfoid = to_regproc('tenancy.require_event')
             when change.bit then coalesce(t.tgnewtable, t.tgoldtable) = 'changed'
               and t.tgfoid = any (array[to_regproc('tenancy.note_changes'), to_regproc('tenancy.note_transfers')]::oid[])
             else false
           end and t.tgqual::text ~ 'SQLVALUEFUNCTION' as is_canonical
         from protected p
         cross join (values ('insert', 4), ('delete', 8), ('update', 16)) change (name, bit)
         left join pg_trigger t on t.tgrelid = p.oid and t.tgname = 'recorded_' || change.name
       )
       select w.name as object, 'no event has to tell of its changes' as reason,
         format('select tenancy.record(''%s'');', w.name) as fix
       from wanted w
       group by w.name
       having count(w.tgname) = 0
       union all
       select format('%s %s', w.name, w.change),
         case when w.tgname is null then 'no event has to tell of it' when not w.is_canonical then 'its trigger is none of tenancy.record'
           else 'its trigger is disabled' end,
         case when w.tgname is null or not w.is_canonical
           then format('%sselect tenancy.record(''%s'', %s);', case when w.tgname is not null
             then format('drop trigger %I on %s; ', w.tgname, w.name) else '' end, w.name,
             (select string_agg(format('only_%ss => ''false''', other.name), ', ' order by other.name)
              from (values ('insert'), ('update'), ('delete')) other (name) where other.name <> w.change))
           else format('alter table %s enable trigger %I;', w.name, w.tgname) end
       from wanted w
       where (w.tgname is null or not w.is_canonical or w.tgenabled not in ('O', 'A'))
         and exists (select from wanted other where other.oid = w.oid and other.tgname is not null)
       order by 1
       limit 100`,
    ),
  },
];
