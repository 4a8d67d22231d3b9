import { Readable } from 'node:stream';
import {
  type ClickHouseClient,
  type ClickHouseClientConfigOptions,
  ClickHouseLogLevel,
  type ClickHouseSettings,
  createClient,
} from '@clickhouse/client';
import type { TelemetryTable } from '@holdfast/ingest';
import { Deadline } from '@holdfast/kernel';
import { Policy } from '@holdfast/resilience';
import { guarded, isOutage, type Operation } from './telemetry-outcome';
import type { TelemetryMigration } from './telemetry-migration';
import { TelemetryUnavailable } from './telemetry-unavailable';
import { APPLIED_VERSIONS, TELEMETRY_MIGRATIONS, VERSIONS_TABLE } from './telemetry-schema.sql';

/** Where ClickHouse is: a server's URL, or the connection to an engine in this process. */
export type ClickHouseEndpoint =
  | { readonly url: string }
  | { readonly connection: NonNullable<ClickHouseClientConfigOptions['connection']> };

/** A batch of ten thousand rows takes well under a second; what takes this long is lost on its way. */
const WRITE_DEADLINE_MS = 30_000;
/** As long as readiness waits for a check. */
const PING_TIMEOUT_MS = 2_000;

/** Values, settings of the statement, and what gives it up. */
export interface StatementOptions {
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly settings?: ClickHouseSettings;
  readonly signal?: AbortSignal;
}

/**
 * How rows are read from their text. Objects stay the text they came as, byte for byte; half a surrogate pair is stored as it is
 * written instead of refusing the row; members that a later release sends are left out. One thread parses, so that a row that
 * cannot be read ends the batch before anything of it is stored.
 */
const LINES_SETTINGS: ClickHouseSettings = {
  input_format_json_read_objects_as_strings: 1,
  input_format_json_throw_on_bad_escape_sequence: 0,
  input_format_skip_unknown_fields: 1,
  input_format_parallel_parsing: 0,
};

/** Lines of JSON by their table, or of the columns that tracked events come in. */
type Lines = TelemetryTable | 'tracked columns';

const INSERT_LINES: Readonly<Record<Lines, string>> = {
  'tracked columns': `insert into telemetry.tracked
     (tenant_id, received_at, key_id, keep_days, kind, message_id, name, user_id, anonymous_id, group_id, at, made_at, properties, context)
     format TabSeparated`,
  tracked: 'insert into telemetry.tracked format JSONEachRow',
  ingest_minutes: 'insert into telemetry.ingest_minutes format JSONEachRow',
  bad_rows: 'insert into telemetry.bad_rows format JSONEachRow',
};

/** Synchronous, whatever the server's default is: the answer means that the rows are stored. */
const once = (token: string): ClickHouseSettings => ({
  async_insert: 0,
  insert_deduplicate: 1,
  insert_deduplication_token: token,
});

/** Statements for ClickHouse, and its schema before the first that needs it. Errors are what `guarded` makes of them. */
export class TelemetryClient {
  private readonly client: ClickHouseClient;
  private migrated: Promise<unknown> | undefined;
  private readonly statements: Policy;

  constructor(endpoint: ClickHouseEndpoint, connectionsMax: number, deadlineMs = WRITE_DEADLINE_MS) {
    // Failures reach the caller, who logs them; the client's own log would print them a second time.
    const settings = { deadlineMs, attemptMs: deadlineMs };
    this.statements = new Policy('clickhouse_statements', { isFailure: isOutage, settings });
    const log = { level: ClickHouseLogLevel.OFF };
    this.client = createClient({
      ...endpoint,
      log,
      request_timeout: deadlineMs,
      max_open_connections: connectionsMax,
    });
  }

  /** The rows of a statement; throws ClickHouse's own errors. */
  async select<Row>(
    query: string,
    { parameters = {}, settings = {}, signal }: StatementOptions = {},
  ): Promise<Row[]> {
    const answer = await this.client.query({
      query,
      query_params: parameters,
      format: 'JSONEachRow',
      clickhouse_settings: settings,
      ...(signal && { abort_signal: signal }),
    });
    return answer.json<Row>();
  }

  /** The rows of a statement about what was written. */
  async look<Row>(operation: Operation, query: string, options: StatementOptions = {}): Promise<Row[]> {
    await this.prepare(options.signal);
    return this.guarded(operation, options.signal, (signal) =>
      this.select<Row>(query, { ...options, signal }),
    );
  }

  /** A statement without an answer. */
  async change(
    operation: Operation,
    query: string,
    { parameters = {}, settings = {}, signal }: StatementOptions = {},
  ): Promise<void> {
    await this.prepare(signal);
    await this.guarded(operation, signal, (ended) =>
      this.client.command({
        query,
        query_params: parameters,
        clickhouse_settings: settings,
        abort_signal: ended,
      }),
    );
  }

  /**
   * Inserts rows as one batch. A batch that comes again with its token within the last thousand batches is recognised and dropped
   * by the server.
   */
  async insert(table: string, rows: readonly object[], token: string, signal?: AbortSignal): Promise<void> {
    await this.prepare(signal);
    await this.guarded('insert', signal, (ended) =>
      this.client.insert({
        table,
        values: rows,
        format: 'JSONEachRow',
        clickhouse_settings: once(token),
        abort_signal: ended,
      }),
    );
  }

  /** The same for lines, which go to the server as they are, in chunks that are asked for as the connection takes them. */
  async insertLines(
    what: Lines,
    chunks: Iterable<Buffer>,
    token: string,
    signal: AbortSignal,
  ): Promise<void> {
    await this.prepare(signal);
    await this.guarded('insert', signal, async (ended) => {
      const answer = await this.client.exec({
        query: INSERT_LINES[what],
        values: Readable.from(chunks, { objectMode: false }),
        clickhouse_settings: { ...LINES_SETTINGS, ...once(token) },
        abort_signal: ended,
      });
      // There is nothing in it, and a connection with an answer on it is not used again.
      for await (const _chunk of answer.stream);
    });
  }

  /**
   * Applies what is missing of the schema and answers with the names. Safe to run in several processes at once. Each statement has the time
   * of one: a store that goes on, however slowly, is not given up.
   */
  async migrate(): Promise<readonly string[]> {
    for (const query of VERSIONS_TABLE) await this.define(query);
    const rows = await this.guarded('migrate', undefined, (signal) =>
      this.select<{ version: number }>(APPLIED_VERSIONS, { signal }),
    );
    const applied = new Set(rows.map(({ version }) => version));
    const missing = TELEMETRY_MIGRATIONS.filter(({ version }) => !applied.has(version));
    for (const migration of missing) await this.apply(migration);
    return missing.map(({ name }) => name);
  }

  /** Whether the store answers at this moment. */
  async ping(): Promise<boolean> {
    const deadline = Deadline.in(PING_TIMEOUT_MS);
    try {
      return await this.statements.run(async () => (await this.client.ping()).success, { deadline });
    } catch {
      return false; // Too late, or a drill.
    }
  }

  close(): Promise<void> {
    return this.client.close();
  }

  /** Whatever is not a read: each has its own way to try again, so that nothing is refused here because of what failed before. */
  private guarded<T>(
    operation: Operation,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    return guarded(operation, () => this.statements.run(work, { signal }));
  }

  /** Waits for the schema, which all statements wait for together: who gives up leaves it to the others. */
  private async prepare(signal?: AbortSignal): Promise<void> {
    const migrated = (this.migrated ??= this.migrate());
    migrated.catch(() => {
      if (this.migrated === migrated) this.migrated = undefined;
    });
    await (signal ? orAborted(migrated, signal) : migrated);
  }

  private async apply({ version, name, statements }: TelemetryMigration): Promise<void> {
    for (const query of statements) await this.define(query);
    await this.guarded('migrate', undefined, (signal) =>
      this.client.insert({
        table: 'telemetry.schema_versions',
        values: [{ version, name }],
        format: 'JSONEachRow',
        abort_signal: signal,
      }),
    );
  }

  private async define(query: string): Promise<void> {
    await this.guarded('migrate', undefined, (signal) =>
      this.client.command({ query, abort_signal: signal }),
    );
  }
}

/** What the work ends with, or TelemetryUnavailable once the signal says that nobody waits for it any more. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new TelemetryUnavailable(signal.reason));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
