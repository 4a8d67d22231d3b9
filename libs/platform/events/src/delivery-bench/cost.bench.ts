import { readFileSync } from 'node:fs';
import { Client } from 'pg';

/** What the server has spent so far, by who asked for it; milliseconds of CPU. */
export type ServerCost = ReadonlyMap<string, number>;

const SESSIONS = `select pid, coalesce(nullif(application_name, ''), backend_type) as name from pg_stat_activity`;

const DEAD = `select coalesce(sum(n_dead_tup), 0)::int8 as dead, coalesce(sum(n_tup_upd + n_tup_del), 0)::int8 as made,
  coalesce(sum(n_tup_hot_upd), 0)::int8 as hot from pg_stat_user_tables
  where schemaname || '.' || relname = any ($1) or schemaname = any ($1)`;

/** Row versions that were superseded (updates and deletes), of them within their page, and those not yet cleaned. */
export interface DeadTuples {
  readonly made: number;
  readonly hot: number;
  readonly dead: number;
}

/** Looks at the server from outside: CPU of its processes, and dead tuples in tables. */
export class ServerGauge {
  private readonly client: Client;

  constructor(adminUrl: string) {
    this.client = new Client({ connectionString: adminUrl, application_name: 'bench gauge' });
  }

  async open(): Promise<this> {
    await this.client.connect();
    return this;
  }

  async close(): Promise<void> {
    await this.client.end();
  }

  /** CPU of the sessions that are there, by application. Where there is no /proc, empty. */
  async cost(): Promise<ServerCost> {
    const { rows } = await this.client.query<{ pid: number; name: string }>(SESSIONS);
    const cost = new Map<string, number>();
    for (const { pid, name } of rows) cost.set(name, (cost.get(name) ?? 0) + cpuMsOf(pid));
    return cost;
  }

  async deadTuples(tables: readonly string[]): Promise<DeadTuples> {
    await this.client.query('select pg_stat_force_next_flush()');
    const { rows } = await this.client.query<Record<keyof DeadTuples, string>>(DEAD, [tables]);
    const [{ made, hot, dead } = { made: 0, hot: 0, dead: 0 }] = rows;
    return { made: Number(made), hot: Number(hot), dead: Number(dead) };
  }
}

/** The difference of two looks, by application, without those that did nothing. */
export function spent(before: ServerCost, after: ServerCost): ServerCost {
  const differences = [...after].map(([name, ms]) => [name, ms - (before.get(name) ?? 0)] as const);
  return new Map(differences.filter(([, ms]) => ms > 0));
}

function cpuMsOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return 0; // Another system, or the session has ended.
  }
}
