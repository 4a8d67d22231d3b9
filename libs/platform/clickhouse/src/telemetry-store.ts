import type { Caller, Deadline } from '@holdfast/kernel';
import { Policy, settingsOf } from '@holdfast/resilience';
import { EMPTY_VALUES, ERASE_SAMPLES, ERASE_USERS, MARK_AGAIN, MARK_HOURS_OF_USERS } from './erasure.sql';
import { type ClickHouseEndpoint, TelemetryClient } from './telemetry-client';
import { limitOf } from './query-too-large';
import { guarded, isOutage } from './telemetry-outcome';
import { COUNT_ROWS, ERASE_ROWS, TENANT_TABLES } from './telemetry-schema.sql';
import { TenantReads } from './tenant-reads';

/** One statement that reads; `tenant_id` is bound by the store. */
export interface TelemetryStatement<Row> {
  readonly text: string;
  /**
   * Whether it may show an event by its later copy where the first one lies outside of what is asked for, which is three times
   * faster. Right for lists; counts that have to add up leave it out.
   */
  readonly isLoose?: boolean;
  /** Never set: carries the row type. */
  readonly row?: Row;
}

/** Connections for whatever is no read. */
const CONNECTIONS_BESIDES = 2;

/**
 * What one read may take, so that no tenant's question is at the cost of all others: ten times the rows of a large tenant, a part of a
 * small server's memory, and ten times the longest answer that a query asks for.
 */
const READ_ROWS_MAX = 100_000_000;
const READ_MEMORY_BYTES_MAX = 1_000_000_000;
const READ_RESULT_ROWS_MAX = 20_000;
/** Under the deadline, so that a read that is too slow is told from a store that does not answer. */
const READ_TIME_MAX_SECONDS = 4;

/** Instants in ISO form with all their microseconds; 64-bit integers as strings, which lose nothing in JSON. */
const READ_SETTINGS = {
  date_time_output_format: 'iso',
  output_format_json_quote_64bit_integers: 1,
  max_rows_to_read: String(READ_ROWS_MAX),
  max_memory_usage: String(READ_MEMORY_BYTES_MAX),
  max_result_rows: String(READ_RESULT_ROWS_MAX),
} as const;

const LOOSE_READ_SETTINGS = { ...READ_SETTINGS, use_skip_indexes_if_final_exact_mode: 0 } as const;

/**
 * The telemetry store in ClickHouse: events of all tenants, read one tenant at a time.
 *
 * Reads go through views that take the tenant as a parameter, which `read` binds and nothing else can. They have a
 * deadline, a bulkhead, in it a share for each tenant, and a circuit breaker; whatever keeps the store from answering becomes TelemetryUnavailable,
 * and an error in a statement stays what it is. The schema is applied before the first write, and again until it works,
 * so a process may start while the store is away.
 */
export class TelemetryStore {
  private readonly client: TelemetryClient;
  private readonly reads: Policy;
  private readonly shares = new TenantReads();

  /** `readDeadlineMs` is how long a read may take before it is refused, where that is not what is configured. */
  constructor(endpoint: ClickHouseEndpoint, readDeadlineMs?: number) {
    this.reads = new Policy('clickhouse_reads', {
      isFailure: (error) => !limitOf(error) && isOutage(error),
      ...(readDeadlineMs !== undefined && {
        settings: { deadlineMs: readDeadlineMs, attemptMs: readDeadlineMs },
      }),
    });
    // A read that waits for a connection would wait inside of its attempt, and count against the store.
    const { atOnceMax } = settingsOf('clickhouse_reads');
    this.client = new TelemetryClient(endpoint, atOnceMax + CONNECTIONS_BESIDES);
  }

  /** Whether reads are being sent at all, for `/readyz?verbose`. */
  get isOpenForReads(): boolean {
    return !this.reads.isOpen;
  }

  /**
   * The rows of a statement over the views of one tenant, within what its reader has left. Throws TelemetryUnavailable, QueryTooLarge
   * when it hit a limit, TooManyReads when the tenant has too many at once, and DeadlinePassed.
   */
  async read<Row>(
    reader: string | Pick<Caller, 'tenantId' | 'deadline'>,
    statement: TelemetryStatement<Row>,
    parameters: Readonly<Record<string, unknown>>,
  ): Promise<Row[]> {
    const asked: Pick<Caller, 'tenantId' | 'deadline'> =
      typeof reader === 'string' ? { tenantId: reader } : reader;
    const { tenantId, deadline } = asked;
    const bound = { ...parameters, tenant_id: tenantId };
    const settings = statement.isLoose ? LOOSE_READ_SETTINGS : READ_SETTINGS;
    return this.shares.run(tenantId, () =>
      guarded('read', () =>
        this.reads.run(
          (signal, { leftMs }) => {
            // The store does not notice that nobody listens any more: it would go on for all who have given up, beside those in their places.
            const max_execution_time = Math.min(READ_TIME_MAX_SECONDS, Math.floor(leftMs / 1_000) + 1);
            const options = { parameters: bound, settings: { ...settings, max_execution_time }, signal };
            return this.client.select<Row>(statement.text, options);
          },
          { deadline },
        ),
      ),
    );
  }

  /**
   * Inserts rows as one batch. A batch that comes again with its token within the last thousand batches is recognised
   * and dropped by the server. Throws TelemetryUnavailable, at the deadline at the latest, after which the batch may be there or not.
   */
  async insert(table: string, rows: readonly object[], token: string, deadline?: Deadline): Promise<void> {
    if (rows.length > 0)
      await this.client.insert(
        table,
        rows,
        token,
        deadline && AbortSignal.timeout(Math.ceil(deadline.leftMs)),
      );
  }

  /** How many rows are stored of a tenant in all tables, copies that no merge has reached included. */
  async countRows(tenantId: string): Promise<bigint> {
    let rows = 0n;
    for (const table of TENANT_TABLES) rows += await this.countRowsOf(table, tenantId);
    return rows;
  }

  /**
   * Removes every row of a tenant from disk: the parts that hold one are written anew without it, and their files are gone
   * within ten minutes. Throws TelemetryUnavailable when that takes longer than a write may; the server goes on with it, and
   * the same call later finds less to do.
   */
  async eraseTenant(tenantId: string): Promise<void> {
    for (const table of TENANT_TABLES) {
      const parameters = { table, tenant_id: tenantId };
      const isThere = (await this.countRowsOf(table, tenantId)) > 0n;
      if (isThere) await this.client.change('erase', ERASE_ROWS, { parameters });
    }
  }

  /**
   * Removes what these users tracked, from disk as `eraseTenant` does, and has their hours counted anew by the next roll-up. The
   * same call again finishes what one that failed has begun. Throws TelemetryUnavailable.
   */
  async eraseUsers(tenantId: string, userIds: readonly string[]): Promise<void> {
    const parameters = { tenant_id: tenantId, users: JSON.stringify(userIds) };
    for (const query of [MARK_HOURS_OF_USERS, ERASE_USERS, EMPTY_VALUES, MARK_AGAIN, ERASE_SAMPLES])
      await this.client.change('erase', query, { parameters });
  }

  /** Applies what is missing of the schema and answers with the names. Safe to run in several processes at once. */
  migrate(): Promise<readonly string[]> {
    return this.client.migrate();
  }

  /** Whether the store answers at this moment. */
  ping(): Promise<boolean> {
    return this.client.ping();
  }

  /** Closes the client; over a connection to an engine in this process, that too. */
  close(): Promise<void> {
    return this.client.close();
  }

  private async countRowsOf(table: string, tenantId: string): Promise<bigint> {
    const parameters = { table, tenant_id: tenantId };
    const [row] = await this.client.look<{ rows: string }>('erase', COUNT_ROWS, { parameters });
    return BigInt(row?.rows ?? 0);
  }
}
