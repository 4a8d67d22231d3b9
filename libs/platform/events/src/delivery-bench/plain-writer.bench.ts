import { Client, Pool } from 'pg';
import type { Movement } from './contestant.bench';

/** What a library that writes in the business transaction needs of it. */
export interface PlainTransaction {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** Announces the movements of a transaction: within it, or once it has committed. */
export interface Announcing {
  readonly inTransaction?: (
    client: PlainTransaction,
    tenantId: string,
    movements: readonly Movement[],
  ) => Promise<unknown>;
  readonly afterCommit?: (tenantId: string, movements: readonly Movement[]) => Promise<unknown>;
}

/** Transactions as everybody writes them: no context, no row-level security; the same business as Holdfast's writers do. */
export class PlainWriter {
  private readonly pool: Pool;

  constructor(url: string, connectionsMax: number) {
    this.pool = new Pool({
      connectionString: url,
      max: connectionsMax,
      application_name: 'bench writers',
    });
  }

  async commit(
    tenantId: string,
    accountIds: readonly string[],
    { inTransaction, afterCommit }: Announcing,
    committed: (movements: readonly Movement[]) => void,
  ): Promise<void> {
    const client = await this.pool.connect();
    let movements: readonly Movement[] = [];
    try {
      await client.query('begin');
      const { rows } = await client.query<{ at: number; to_version: string }>({
        name: 'move',
        text: 'select at, to_version from bench.move($1, $2)',
        values: [tenantId, accountIds],
      });
      movements = rows.map(({ at, to_version }) => ({ place: at, version: Number(to_version) }));
      await inTransaction?.(client, tenantId, movements);
      await client.query('commit');
    } catch (error) {
      await client.query('rollback');
      throw error;
    } finally {
      client.release();
    }
    committed(movements);
    await afterCommit?.(tenantId, movements);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}

/** Removes what a contestant has left from another run. */
export async function dropSchema(adminUrl: string, schema: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(`drop schema if exists ${client.escapeIdentifier(schema)} cascade`);
  } finally {
    await client.end();
  }
}
