import { sqlState, type Statement } from '@holdfast/database';
import type { TestDatabase } from '@holdfast/testing';
import { Client } from 'pg';

/** A node of a plan, as EXPLAIN writes it. */
interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Schema?: string;
  readonly 'Index Cond'?: string;
  readonly 'Recheck Cond'?: string;
  readonly Plans?: readonly PlanNode[];
}

const PROTECTED = `select format('%s.%s', n.nspname, c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relrowsecurity`;

/**
 * Statements whose plan reads a protected table other than through an index by tenant, as `statement: node on table`.
 *
 * Planned as the application, in a tenant's transaction, so that policies are part of the plan; generic, as for a prepared
 * statement that has run often. Without sequential scans: on tables that are empty PostgreSQL would take nothing else, and
 * what is asked is whether there is another way.
 */
export async function findPlansWithoutTenant(
  database: TestDatabase,
  statements: readonly Statement<unknown>[],
): Promise<string[]> {
  const tables = new Set((await database.admin<{ name: string }>(PROTECTED)).map(({ name }) => name));
  const caller = await database.caller();
  const client = new Client({ connectionString: database.url('holdfast_app') });
  await client.connect();
  try {
    const found: string[] = [];
    for (const { name, text } of statements) {
      await client.query('begin');
      await client.query('select tenancy.enter($1)', [caller.grant]);
      await client.query('set local enable_seqscan = off');
      const nodes = nodesOf(await planOf(client, text));
      await client.query('rollback');
      found.push(
        ...nodes
          .filter((node) => readsAll(node, tables))
          .map((node) => `${name}: ${node['Node Type']} on ${tableOf(node)}`),
      );
    }
    return found;
  } finally {
    await client.end();
  }
}

/** The plan, or undefined for what belongs to another role: that cannot be planned in this one, and reads no tenant's rows. */
async function planOf(client: Client, text: string): Promise<PlanNode | undefined> {
  try {
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `explain (generic_plan, verbose, format json) ${text}`,
    );
    return rows[0]?.['QUERY PLAN'][0].Plan;
  } catch (error) {
    if (sqlState(error) === '42501') return undefined;
    throw error;
  }
}

const tableOf = (node: PlanNode): string => `${node.Schema}.${node['Relation Name']}`;

function readsAll(node: PlanNode, tables: ReadonlySet<string>): boolean {
  const condition = node['Index Cond'] ?? node['Recheck Cond'] ?? '';
  return node['Node Type'].includes('Scan') && tables.has(tableOf(node)) && !/\btenant_id = /.test(condition);
}

function nodesOf(node: PlanNode | undefined): PlanNode[] {
  return node ? [node, ...(node.Plans ?? []).flatMap(nodesOf)] : [];
}
