import type { TestDatabase } from '@holdfast/testing';
import { SECRET } from './attack';

/** A table whose rows have tenants. The application may touch most of them; the others are reached by functions. */
export interface TenantTable {
  /** Quoted, with its schema. */
  readonly name: string;
  /** Columns that a statement may set. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

const TABLES = `select format('%I.%I', n.nspname, c.relname) as name,
    jsonb_agg(jsonb_build_object('name', quote_ident(a.attname), 'type', format_type(a.atttypid, null)) order by a.attnum) as columns
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
  where c.relkind in ('r', 'p') and n.nspname not in ('jobs', 'information_schema') and n.nspname !~ '^pg_'
    and exists (select from pg_attribute t where t.attrelid = c.oid and t.attname = 'tenant_id' and not t.attisdropped)
  group by n.nspname, c.relname
  order by 1`;

/** A value of each type, with the secret in it where it has room for one. */
const VALUES: Readonly<Record<string, string>> = {
  text: `'${SECRET}'`,
  'character varying': `'${SECRET}'`,
  inet: `'192.0.2.1'::inet`,
  jsonb: `to_jsonb('${SECRET}'::text)`,
  json: `to_json('${SECRET}'::text)`,
  bytea: `'${SECRET}'::bytea`,
  integer: '1',
  smallint: '1::smallint',
  bigint: '1::bigint',
  numeric: '1::numeric',
  'double precision': '1::float8',
  boolean: 'false',
  date: `'2026-01-01'::date`,
  'timestamp with time zone': `'2026-01-01 00:00:00+00'::timestamptz`,
  interval: `'1 second'::interval`,
  xid8: `'1'::xid8`,
  pg_snapshot: `'1:1:'::pg_snapshot`,
  // The first row of a page, whosever it is.
  tid: `'(0,1)'::tid`,
};

/** The value of a type for whoever has the id, as SQL. Throws for a type that no table has had so far. */
export function valueOf(type: string, id: string): string {
  if (type.endsWith('[]')) return `array[${valueOf(type.slice(0, -2), id)}]`;
  const value = type === 'uuid' ? `'${id}'::uuid` : VALUES[type];
  if (value === undefined) throw new Error(`add a value of type ${type} to stocked-tables.ts`);
  return value;
}

/**
 * Puts a row of the tenant into every table that has tenants, as the administrator: whatever a module adds is there to be
 * stolen without a word here. Constraints that a made-up row breaks are taken away; policies are not.
 */
export async function stockTables(database: TestDatabase, tenantId: string): Promise<TenantTable[]> {
  const tables = await database.admin<TenantTable>(TABLES);
  for (const { name, columns } of tables) {
    const checks = await database.admin<{ name: string }>(
      `select quote_ident(conname) as name from pg_constraint where conrelid = $1::regclass and contype = 'c'`,
      [name],
    );
    for (const check of checks) await database.admin(`alter table ${name} drop constraint ${check.name}`);
    const names = columns.map((column) => column.name).join(', ');
    const values = columns.map(({ type }) => valueOf(type, tenantId)).join(', ');
    // As a replica, foreign keys are not looked at.
    await database.admin(
      `set session_replication_role = replica; insert into ${name} (${names}) values (${values})`,
    );
  }
  return tables;
}
