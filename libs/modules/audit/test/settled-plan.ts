import type { Caller } from '@holdfast/kernel';
import type { TestDatabase } from '@holdfast/testing';
import { Client } from 'pg';

/** The plan that PostgreSQL has come to after ten runs of a prepared statement, in the application's role. */
export async function settledPlan(
  database: TestDatabase,
  caller: Caller,
  text: string,
  values: readonly (string | number | boolean | null)[],
): Promise<string> {
  const client = new Client({ connectionString: database.url('holdfast_app') });
  await client.connect();
  try {
    await client.query('begin');
    await client.query('select tenancy.enter($1)', [caller.grant]);
    await client.query(`prepare listed as ${text}`);
    const literals = [caller.tenantId, ...values].map((value) =>
      value === null ? 'null' : client.escapeLiteral(String(value)),
    );
    let plan = '';
    for (let run = 0; run < 10; run += 1) {
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(
        `explain (costs off) execute listed (${literals.join(', ')})`,
      );
      plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    }
    return plan;
  } finally {
    await client.end();
  }
}
