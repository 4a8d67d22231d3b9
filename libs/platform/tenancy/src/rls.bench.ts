import { type Caller, newId } from '@holdfast/kernel';
import { type Connection, Database, type Statement, Transaction } from '@holdfast/database';
import { Client, Pool } from 'pg';
import { TenantDatabase } from './tenant-database';

/** What the bench runs on. It makes a schema of its own and drops it when it is done. */
export interface RlsBenchOptions {
  readonly adminUrl: string;
  /** Connection string of holdfast_app. */
  readonly appUrl: string;
  /** Its tenant owns one row in a hundred. The grant has to outlive the run. */
  readonly caller: Caller;
  readonly connections?: number;
  /** How long each way of reading is measured, in seconds. */
  readonly seconds?: number;
}

/** Transactions per second of one statement, each in a transaction of its own. */
export interface RlsFigures {
  readonly statement: string;
  /** The driver alone: begin, the statement, commit. */
  readonly bare: number;
  /** As a TenantTx does it, but with set_config in the place of `enter`, on a copy without policies. */
  readonly unprotected: number;
  /** The same with the usual policy over that setting, which any statement can change. */
  readonly plainSetting: number;
  /** TenantTx: reset, signed context, canonical policies. */
  readonly protected: number;
}

const TENANTS = 100;
const ROWS_PER_TENANT = 500;
/** Short turns, so that a machine that slows down meanwhile slows all ways of reading alike. */
const ROUNDS = 8;

const SCHEMA = `
  drop schema if exists rls_bench cascade;
  create schema rls_bench authorization holdfast_owner;
  grant usage on schema rls_bench to holdfast_app;
  create table rls_bench.plain (tenant_id uuid, id int, name text not null, created_at timestamptz not null default now(),
    primary key (tenant_id, id));
  create table rls_bench.usual (like rls_bench.plain including all);
  create table rls_bench.protected (like rls_bench.plain including all);
  alter table rls_bench.usual enable row level security;
  create policy usual on rls_bench.usual using (tenant_id = (select current_setting('rls_bench.tenant')::uuid));
  select tenancy.protect('rls_bench.protected');
  grant select on all tables in schema rls_bench to holdfast_app`;

const FILL = `
  insert into rls_bench.plain (tenant_id, id, name)
  select t.id, n, 'row ' || n
  from unnest($1::uuid[]) t (id), generate_series(1, $2) n`;

const COPIES = [
  'insert into rls_bench.usual select tenant_id, id, name, created_at from rls_bench.plain',
  'insert into rls_bench.protected select tenant_id, id, name, created_at from rls_bench.plain',
];

interface Reading {
  readonly title: string;
  readonly plain: Statement<unknown>;
  readonly usual: Statement<unknown>;
  readonly protected: Statement<unknown>;
}

/** Not declared by `statement`: its tables exist only while the bench runs, and a test prepares all that is declared. */
const undeclared = (name: string, text: string): Statement<unknown> => ({ name, text });

const READINGS: readonly Reading[] = [
  {
    title: 'point read',
    plain: undeclared(
      'bench.rls_point_plain',
      'select name, created_at from rls_bench.plain where tenant_id = $1 and id = $2',
    ),
    usual: undeclared(
      'bench.rls_point_usual',
      'select name, created_at from rls_bench.usual where tenant_id = $1 and id = $2',
    ),
    protected: undeclared(
      'bench.rls_point',
      'select name, created_at from rls_bench.protected where tenant_id = $1 and id = $2',
    ),
  },
  {
    title: '50-row list',
    plain: undeclared(
      'bench.rls_list_plain',
      'select id, name, created_at from rls_bench.plain where tenant_id = $1 and id >= $2 order by id limit 50',
    ),
    usual: undeclared(
      'bench.rls_list_usual',
      'select id, name, created_at from rls_bench.usual where tenant_id = $1 and id >= $2 order by id limit 50',
    ),
    protected: undeclared(
      'bench.rls_list',
      'select id, name, created_at from rls_bench.protected where tenant_id = $1 and id >= $2 order by id limit 50',
    ),
  },
];

/** Measures what the signed context and the policies cost: the same statements with and without, in one run. */
export async function benchRls(options: RlsBenchOptions): Promise<RlsFigures[]> {
  const { adminUrl, appUrl, caller, connections = 8, seconds = 4 } = options;
  await prepare(adminUrl, caller.tenantId);
  const database = new Database({ url: appUrl, name: 'holdfast bench', connectionsMax: connections });
  const pool = new Pool({ connectionString: appUrl, max: connections, pipeline: true });
  try {
    const figures: RlsFigures[] = [];
    for (const reading of READINGS)
      figures.push(await measure(reading, database, pool, { caller, connections, seconds }));
    return figures;
  } finally {
    await Promise.all([database.close(), pool.end()]);
    await asAdmin(adminUrl, (client) => client.query('drop schema rls_bench cascade'));
  }
}

/** The figures for people. */
export function formatRlsFigures(figures: readonly RlsFigures[]): string {
  const lines = figures.map((each) =>
    [
      `${each.statement}: ${each.protected}/s with the signed context and forced policies`,
      `  ${against(each.protected, each.unprotected)} the same with set_config on an unprotected copy`,
      `  ${against(each.protected, each.plainSetting)} the same with set_config and a policy over that setting`,
      `  ${against(each.protected, each.bare)} the driver alone, without tenant and policy`,
    ].join('\n'),
  );
  return lines.join('\n');
}

const against = (one: number, other: number): string => `${(one / other).toFixed(2)} × ${other}/s:`;

/** What a TenantTx would be without a signature: the tenant is a setting, and nothing is reset. */
class SettingTx extends Transaction {
  constructor(
    connection: Connection,
    private readonly tenantId: string,
  ) {
    super(connection, 'read only');
  }

  protected override opening(
    begin: Parameters<Transaction['opening']>[0],
  ): ReturnType<Transaction['opening']> {
    const text = `select set_config('rls_bench.tenant', $1, true)`;
    return [begin, { name: 'bench.rls_set_tenant', text, values: [this.tenantId] }];
  }
}

type Measured = Required<Pick<RlsBenchOptions, 'caller' | 'connections' | 'seconds'>>;

async function measure(
  reading: Reading,
  database: Database,
  pool: Pool,
  measured: Measured,
): Promise<RlsFigures> {
  const { caller, connections, seconds } = measured;
  const tenants = new TenantDatabase(database);
  const unsigned = (statement: Statement<unknown>) => (id: number) =>
    database.transaction(
      (connection) => new SettingTx(connection, caller.tenantId),
      (tx) => tx.last(statement, [caller.tenantId, id]),
    );
  const ways = [
    (id: number) => readPlainly(pool, reading.plain, [caller.tenantId, id]),
    unsigned(reading.plain),
    unsigned(reading.usual),
    (id: number) => tenants.rows(caller, reading.protected, [caller.tenantId, id]),
  ];
  const counts = ways.map(() => 0);
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const [way, read] of ways.entries()) {
      const reads = await readFor((seconds * 1_000) / ROUNDS, connections, read);
      // The first round warms up connections, plans and the compiler.
      if (round > 0) counts[way] = (counts[way] ?? 0) + reads;
    }
  }
  const [bare = 0, unprotected = 0, plainSetting = 0, tenantTx = 0] = counts.map((count) =>
    Math.round(count / seconds),
  );
  return { statement: reading.title, bare, unprotected, plainSetting, protected: tenantTx };
}

async function readFor(
  durationMs: number,
  connections: number,
  read: (id: number) => Promise<unknown>,
): Promise<number> {
  const endsAt = performance.now() + durationMs;
  let reads = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < endsAt) {
      await read(1 + (reads % (ROWS_PER_TENANT - 50)));
      reads += 1;
    }
  };
  await Promise.all(Array.from({ length: connections }, lane));
  return reads;
}

async function readPlainly(pool: Pool, { name, text }: Statement<unknown>, values: unknown[]): Promise<void> {
  const client = await pool.connect();
  try {
    await Promise.all([
      client.query({ name: 'begin', text: 'begin read only' }),
      client.query({ name, text, values }),
      client.query({ name: 'commit', text: 'commit' }),
    ]);
  } finally {
    client.release();
  }
}

async function prepare(adminUrl: string, tenantId: string): Promise<void> {
  await asAdmin(adminUrl, async (client) => {
    await client.query(SCHEMA);
    const tenants = [tenantId, ...Array.from({ length: TENANTS - 1 }, newId)];
    await client.query(FILL, [tenants, ROWS_PER_TENANT]);
    for (const copy of COPIES) await client.query(copy);
    // Freshly loaded tables are planned badly until they have been analysed.
    for (const table of ['plain', 'usual', 'protected'])
      await client.query(`vacuum analyze rls_bench.${table}`);
  });
}

async function asAdmin<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
