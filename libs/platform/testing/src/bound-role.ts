import { type Database, statement, SystemTx } from '@holdfast/database';

const FIND = statement<{ role: string; table_name: string }>(
  'testing.find_unbound_tables',
  `select current_user::text as role, format('%s.%s', n.nspname, c.relname) as table_name
   from pg_class c
   join pg_namespace n on n.oid = c.relnamespace
   where exists (select from pg_policy p where p.polrelid = c.oid) and not row_security_active(c.oid)
   order by 1, 2
   limit 100`,
);

/**
 * The tables whose policies do not bind the role of a pool. A superuser, an owner or a role that bypasses policies passes
 * every test of isolation, because it is never refused anything: a run asks this before its first spec.
 */
export async function findUnbound(database: Database): Promise<string[]> {
  const rows = await database.transaction(
    (connection) => new SystemTx(connection, 'read only'),
    (tx) => tx.last(FIND),
  );
  return rows.map(({ role, table_name }) => `${role} is not bound by the policies of ${table_name}`);
}
