import {
  type ClickHouseClient,
  type ClickHouseClientConfigOptions,
  ClickHouseLogLevel,
  createClient,
} from '@clickhouse/client';
import {
  bulkhead,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
  type IPolicy,
  timeout,
  TimeoutStrategy,
  wrap,
} from 'cockatiel';
import { gauge, histogram } from '@holdfast/observability';
import {
  APPLIED_VERSIONS,
  COUNT_ROWS,
  ERASE_ROWS,
  TELEMETRY_MIGRATIONS,
  TENANT_TABLES,
  VERSIONS_TABLE,
} from './telemetry-schema.sql';
import type { TelemetryMigration } from './telemetry-migration';
import { TelemetryUnavailable } from './telemetry-unavailable';

/** Where ClickHouse is: a server's URL, or the connection to an engine in this process. */
export type ClickHouseEndpoint =
  | { readonly url: string }
  | { readonly connection: NonNullable<ClickHouseClientConfigOptions['connection']> };

/** One statement that reads; `tenant_id` is bound by the store. */
export interface TelemetryStatement<Row> {
  readonly text: string;
  /** Never set: carries the row type. */
  readonly row?: Row;
}

const requestSeconds = histogram({
  name: 'holdfast_telemetry_request_duration_seconds',
  help: 'Time of reads, inserts, migrations and erasures of the telemetry store in seconds, by outcome (ok, unavailable or failed).',
  labels: ['operation', 'outcome'],
});
const circuitOpen = gauge({
  name: 'holdfast_telemetry_circuit_open',
  help: 'Whether reads of the telemetry store are refused without asking it (1) or sent (0).',
});

/** A read answers within this or not at all: people wait for it. */
const READ_DEADLINE_MS = 5_000;
/** A batch of ten thousand rows takes well under a second; what takes this long is lost on its way. */
const WRITE_DEADLINE_MS = 30_000;
/** Reads in flight, and waiting, per process: a slow store does not collect the memory of all who ask. */
const READS_MAX = 20;
const READS_WAITING_MAX = 100;
/** After five failures in a row nobody is sent for 2 s, then one read tries whether the store is back. */
const FAILURES_MAX = 5;
const OPEN_MS = 2_000;

/** Instants in ISO form with all their microseconds; 64-bit integers as strings, which lose nothing in JSON. */
const READ_SETTINGS = {
  date_time_output_format: 'iso',
  output_format_json_quote_64bit_integers: 1,
  max_execution_time: READ_DEADLINE_MS / 1_000,
} as const;

/**
 * The telemetry store in ClickHouse: events of all tenants, read one tenant at a time.
 *
 * Reads go through views that take the tenant as a parameter, which `read` binds and nothing else can. They have a
 * deadline, a bulkhead and a circuit breaker; whatever keeps the store from answering becomes TelemetryUnavailable,
 * and an error in a statement stays what it is. The schema is applied before the first write, and again until it works,
 * so a process may start while the store is away.
 */
export class TelemetryStore {
  private readonly client: ClickHouseClient;
  private migrated: Promise<unknown> | undefined;
  private readonly breaker = circuitBreaker(handleWhen(isOutage), {
    halfOpenAfter: OPEN_MS,
    breaker: new ConsecutiveBreaker(FAILURES_MAX),
  });
  private readonly reads: IPolicy;

  /** `readDeadlineMs` is how long a read may take before it is refused. */
  constructor(endpoint: ClickHouseEndpoint, readDeadlineMs = READ_DEADLINE_MS) {
    this.breaker.onStateChange(() => circuitOpen.set(this.isOpenForReads ? 0 : 1));
    const deadline = timeout(readDeadlineMs, TimeoutStrategy.Aggressive);
    // The outer deadline counts the time spent waiting for a place; the inner one lets the breaker see who ran out of it.
    this.reads = wrap(deadline, bulkhead(READS_MAX, READS_WAITING_MAX), this.breaker, deadline);
    // Failures reach the caller, who logs them; the client's own log would print them a second time.
    const log = { level: ClickHouseLogLevel.OFF };
    this.client = createClient({
      ...endpoint,
      log,
      request_timeout: WRITE_DEADLINE_MS,
      max_open_connections: READS_MAX + 2,
    });
  }

  /** Whether reads are being sent at all, for `/readyz?verbose`. */
  get isOpenForReads(): boolean {
    return this.breaker.state !== CircuitState.Open;
  }

  /** The rows of a statement over the views of one tenant. Throws TelemetryUnavailable. */
  async read<Row>(
    tenantId: string,
    statement: TelemetryStatement<Row>,
    parameters: Readonly<Record<string, unknown>>,
  ): Promise<Row[]> {
    return guarded('read', () =>
      this.reads.execute(async ({ signal }) => {
        const answer = await this.client.query({
          query: statement.text,
          query_params: { ...parameters, tenant_id: tenantId },
          format: 'JSONEachRow',
          clickhouse_settings: READ_SETTINGS,
          abort_signal: signal,
        });
        return answer.json<Row>();
      }),
    );
  }

  /**
   * Inserts rows as one batch. A batch that comes again with its token within the last thousand batches is recognised
   * and dropped by the server. Throws TelemetryUnavailable, after which the batch may be there or not.
   */
  async insert(table: string, rows: readonly object[], token: string): Promise<void> {
    if (rows.length === 0) return;
    await this.prepare();
    await guarded('insert', () =>
      this.client.insert({
        table,
        values: rows,
        format: 'JSONEachRow',
        // Synchronous, whatever the server's default is: the answer means that the rows are stored.
        clickhouse_settings: { async_insert: 0, insert_deduplicate: 1, insert_deduplication_token: token },
      }),
    );
  }

  /** How many rows are stored of a tenant in all tables, copies that no merge has reached included. */
  async countRows(tenantId: string): Promise<bigint> {
    await this.prepare();
    return guarded('erase', async () => {
      let rows = 0n;
      for (const table of TENANT_TABLES) rows += await this.countRowsOf(table, tenantId);
      return rows;
    });
  }

  /**
   * Removes every row of a tenant from disk: the parts that hold one are written anew without it, and their files are gone
   * within ten minutes. Throws TelemetryUnavailable when that takes longer than a write may; the server goes on with it, and
   * the same call later finds less to do.
   */
  async eraseTenant(tenantId: string): Promise<void> {
    await this.prepare();
    await guarded('erase', async () => {
      for (const table of TENANT_TABLES) {
        const query_params = { table, tenant_id: tenantId };
        const isThere = (await this.countRowsOf(table, tenantId)) > 0n;
        if (isThere) await this.client.command({ query: ERASE_ROWS, query_params });
      }
    });
  }

  /** Applies what is missing of the schema and answers with the names. Safe to run in several processes at once. */
  async migrate(): Promise<readonly string[]> {
    return guarded('migrate', async () => {
      for (const query of VERSIONS_TABLE) await this.client.command({ query });
      const answer = await this.client.query({ query: APPLIED_VERSIONS, format: 'JSONEachRow' });
      const applied = new Set((await answer.json<{ version: number }>()).map(({ version }) => version));
      const missing = TELEMETRY_MIGRATIONS.filter(({ version }) => !applied.has(version));
      for (const migration of missing) await this.apply(migration);
      return missing.map(({ name }) => name);
    });
  }

  /** Whether the store answers at this moment. */
  async ping(): Promise<boolean> {
    return (await this.client.ping()).success;
  }

  /** Closes the client; over a connection to an engine in this process, that too. */
  close(): Promise<void> {
    return this.client.close();
  }

  private async countRowsOf(table: string, tenantId: string): Promise<bigint> {
    const query_params = { table, tenant_id: tenantId };
    const answer = await this.client.query({ query: COUNT_ROWS, query_params, format: 'JSONEachRow' });
    const [row] = await answer.json<{ rows: string }>();
    return BigInt(row?.rows ?? 0);
  }

  private async prepare(): Promise<void> {
    this.migrated ??= this.migrate();
    try {
      await this.migrated;
    } catch (error) {
      this.migrated = undefined;
      throw error;
    }
  }

  private async apply({ version, name, statements }: TelemetryMigration): Promise<void> {
    for (const query of statements) await this.client.command({ query });
    await this.client.insert({
      table: 'telemetry.schema_versions',
      values: [{ version, name }],
      format: 'JSONEachRow',
    });
  }
}

/**
 * Numbers of ClickHouse's (ErrorCodes.cpp) that say that the statement or its rows are wrong, and that nothing was stored:
 * they do not parse, convert, or fit the columns. Every other number (timeouts, memory, replicas, a full disk, an insert of
 * unknown outcome, a schema that no worker has applied so far) is about the store, and the same may work later.
 */
const REFUSALS = new Set(
  [
    [6, 10, 16, 20, 26, 27, 33, 38, 41, 43, 44, 46, 47, 53, 62, 69, 70, 72, 90],
    [115, 117, 130, 131, 349, 376, 441, 456, 457, 469, 675, 676],
  ]
    .flat()
    .map(String),
);

/** chDB and the client bundle a ClickHouseError each, so it is known by its number and not by its class. */
function isOutage(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  return !REFUSALS.has(code);
}

async function guarded<T>(
  operation: 'read' | 'insert' | 'migrate' | 'erase',
  work: () => Promise<T>,
): Promise<T> {
  const stop = requestSeconds.startTimer({ operation });
  try {
    const result = await work();
    stop({ outcome: 'ok' });
    return result;
  } catch (error) {
    const outage = isOutage(error);
    stop({ outcome: outage ? 'unavailable' : 'failed' });
    throw outage ? new TelemetryUnavailable(error) : error;
  }
}
