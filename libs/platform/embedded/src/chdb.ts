import { mkdirSync } from 'node:fs';
import type { ClickHouseClientConfigOptions } from '@clickhouse/client';

/** What `createClient({ connection })` of `@clickhouse/client` takes in place of a URL. */
export type ClickHouseConnection = NonNullable<ClickHouseClientConfigOptions['connection']>;

type Verb = Exclude<keyof ClickHouseConnection, 'close'>;
type ParametersOf<V extends Verb> = Parameters<ClickHouseConnection[V]>[0];
type Answer<V extends Verb> = ReturnType<ClickHouseConnection[V]>;

/** The data directory cannot be opened: another process has it, or this one has another one open. */
export class ChdbUnavailable extends Error {
  override readonly name = 'ChdbUnavailable';

  constructor(directory: string, cause: unknown) {
    super(`chDB cannot open ${directory}. One process has it at a time, and a process has one at a time.`, {
      cause,
    });
  }
}

/**
 * Opens ClickHouse inside this process (chDB) on a data directory, which is created when it is missing.
 *
 * A process has one directory open at a time, and a directory belongs to one process; throws ChdbUnavailable otherwise.
 * `close` waits for what is running and frees the directory. There are no users here and no cancellation: a statement
 * that its caller has given up on runs to its end.
 */
export async function openChdb(directory: string): Promise<ClickHouseConnection> {
  // Loaded when it is wanted: half a gigabyte of library that processes with a server of their own never touch.
  const [{ drainPending }, { createChdbConnection }] = await Promise.all([
    import('chdb'),
    import('chdb/connection'),
  ]);
  // A connection that was closed a moment ago may still be letting go of its directory.
  await drainPending();
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  try {
    // chDB and the client each bring a copy of these types, and the copies differ in a private field.
    const connection = createChdbConnection({ path: directory }) as unknown as ClickHouseConnection;
    return new ScopedConnection(connection, drainPending);
  } catch (error) {
    throw new ChdbUnavailable(directory, error);
  }
}

type Settings = NonNullable<ParametersOf<'query'>['clickhouse_settings']>;

/**
 * Keeps the settings of a statement to that statement, as a server does.
 *
 * chDB's own connection applies them with SET, and they stay: an insert without a deduplication token then carries the
 * previous one's, and its rows are dropped as a repetition. So statements go one at a time (chDB runs them so anyway),
 * each one's settings are set before it, and put back before the next.
 */
class ScopedConnection implements ClickHouseConnection {
  private turn: Promise<unknown> = Promise.resolve();
  private closed = false;

  constructor(
    private readonly chdb: ClickHouseConnection,
    private readonly drain: () => Promise<void>,
  ) {}

  ping(params: ParametersOf<'ping'>): Answer<'ping'> {
    return this.inTurn(() => this.chdb.ping(params));
  }

  query(params: ParametersOf<'query'>): Answer<'query'> {
    return this.scoped(params, (scoped) => this.chdb.query(scoped));
  }

  insert(params: ParametersOf<'insert'>): Answer<'insert'> {
    return this.scoped(params, (scoped) => this.chdb.insert(scoped));
  }

  command(params: ParametersOf<'command'>): Answer<'command'> {
    return this.scoped(params, (scoped) => this.chdb.command(scoped));
  }

  exec(params: ParametersOf<'exec'>): Answer<'exec'> {
    return this.scoped(params, (scoped) => this.chdb.exec(scoped));
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.turn;
    await this.chdb.close();
    await this.drain();
  }

  private scoped<P extends ParametersOf<'query'>, T>(params: P, run: (params: P) => Promise<T>): Promise<T> {
    const { ofStatement, ofClient } = sortedOut(params.clickhouse_settings ?? {});
    return this.inTurn(async () => {
      try {
        if (ofStatement.size > 0) await this.set(ofStatement);
        return await run({ ...params, clickhouse_settings: ofClient });
      } finally {
        await this.restore([...ofStatement.keys()]);
      }
    });
  }

  /** By a statement of its own: of what stands behind a SET in one text, chDB reads all rows as SQL. */
  private async set(settings: ReadonlyMap<string, string>): Promise<void> {
    const assignments = Array.from(settings, ([name, value]) => `${name} = '${value}'`);
    await this.chdb.command({ query: `set ${assignments.join(', ')}` });
  }

  /** Back to the engine's own values. A name that it does not know was refused, so there is nothing to put back. */
  private async restore(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    try {
      await this.chdb.command({ query: `set ${names.map((name) => `${name} = default`).join(', ')}` });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === UNKNOWN_SETTING)) throw error;
      if (names.length > 1) for (const name of names) await this.restore([name]);
    }
  }

  private inTurn<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(() => {
      if (this.closed) throw new Error('chDB is closed');
      return run();
    });
    this.turn = mine.catch(() => {}); // The next one goes whatever became of this one; the caller hears of it.
    return mine;
  }
}

/** ClickHouse's number for it, from ErrorCodes.cpp. */
const UNKNOWN_SETTING = '115';

/** Those that the engine is told, as text, and those that chDB's connection keeps to itself. Names and values go into SQL: only plain ones pass. */
function sortedOut(settings: Settings): { ofStatement: Map<string, string>; ofClient: Settings } {
  const ofStatement = new Map<string, string>();
  const ofClient: Settings = {};
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined) continue;
    const text = typeof value === 'boolean' ? String(Number(value)) : String(value);
    if (!/^[a-z][a-z0-9_]*$/.test(name) || !/^[\w.,:+ -]*$/.test(text)) {
      throw new Error(`the setting ${JSON.stringify(name)} has a name or a value that chDB is not given`);
    }
    if (OF_THE_CLIENT.has(name)) ofClient[name] = value;
    else ofStatement.set(name, text);
  }
  return { ofStatement, ofClient };
}

/** Settings that chDB's connection keeps to itself and never sends to the engine. */
const OF_THE_CLIENT = new Set([
  'default_format',
  'wait_end_of_query',
  'send_progress_in_http_headers',
  'enable_http_compression',
]);
