import { fullJitterMs } from '@holdfast/kernel';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool, type PoolClient, TypeOverrides } from 'pg';
import {
  DatabaseBusy,
  DatabaseUnavailable,
  isRetryable,
  leavesConnectionSound,
  translate,
} from './database-errors';
import { SESSION_SETTINGS } from './session-settings';
import { statement } from './statement';
import { SystemTx, type Transaction } from './transaction';

/** How a process talks to PostgreSQL in one role. */
export interface DatabaseOptions {
  /** Connection string of the role; with `pgbouncer=true` it leads to a pooler in transaction mode. */
  readonly url: string;
  /** Shown in pg_stat_activity. */
  readonly name: string;
  /** Connections at most; each is a server process. */
  readonly connectionsMax?: number;
  /** How long to wait for a free connection, in milliseconds, before refusing with `database.unavailable`. */
  readonly acquireTimeoutMs?: number;
  /** How long one statement may run, in milliseconds. */
  readonly statementTimeoutMs?: number;
  /** Reports that a connection was lost while no statement was running on it. */
  readonly onIdleError?: (error: Error) => void;
}

const PING = statement('database.ping', 'select 1 as answer');

/** Six tries with full jitter from 10 ms wait 0.3 s on average and 0.6 s at most: longer than any transaction here. */
const ATTEMPTS_MAX = 6;

/** Reads bigint as bigint; everything else as pg does. int8 is 20 in pg_type. */
const types = new TypeOverrides();
types.setTypeParser(20, BigInt);

/**
 * A pool of connections in one role. There is no way to run a statement on it but inside a transaction.
 *
 * Sessions run in UTC and with timeouts for statements, locks and idle transactions. Statements
 * are pipelined: those that are issued without waiting travel together.
 */
export class Database {
  private readonly pool: Pool;
  private readonly isPooled: boolean;
  /** Connections whose commit was not answered in time. */
  private readonly late = new Set<PoolClient>();

  constructor(private readonly options: DatabaseOptions) {
    const url = new URL(options.url);
    this.isPooled = url.searchParams.get('pgbouncer') === 'true';
    url.searchParams.delete('pgbouncer');
    this.pool = new Pool({
      connectionString: url.href,
      application_name: options.name,
      max: options.connectionsMax ?? 10,
      connectionTimeoutMillis: options.acquireTimeoutMs ?? 3_000,
      pipeline: true,
      keepAlive: true,
      types,
      // PgBouncer takes no options: there the roles' own settings hold, which `holdfast migrate` makes the same.
      ...(!this.isPooled && { options: startupOptions(options.statementTimeoutMs) }),
    });
    // Without a listener, an error on an idle connection (a restarted server) would end the process.
    this.pool.on('error', (error) => options.onIdleError?.(error));
    // The end of a connection may arrive together with its beginning, before anybody who was given it listens.
    this.pool.on('connect', (connection) => connection.on('error', () => {}));
  }

  /** Connections in use, idle, and requests waiting for one. */
  get load(): {
    readonly used: number;
    readonly idle: number;
    readonly waiting: number;
    readonly max: number;
  } {
    const { totalCount, idleCount, waitingCount } = this.pool;
    return {
      used: totalCount - idleCount,
      idle: idleCount,
      waiting: waitingCount,
      max: this.options.connectionsMax ?? 10,
    };
  }

  /**
   * Runs work in one READ COMMITTED transaction and commits it.
   *
   * The work is done again, with full jitter, when PostgreSQL reports a deadlock or a serialisation failure; it must
   * therefore have no effect outside the transaction. Throws DatabaseBusy, DatabaseUnavailable or OutcomeUnknown.
   */
  async transaction<T, Tx extends Transaction>(
    open: (connection: PoolClient) => Tx,
    work: (tx: Tx) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.attempt(open, work);
      } catch (error) {
        if (!isRetryable(error)) throw translate(error);
        if (attempt === ATTEMPTS_MAX) throw new DatabaseBusy(error);
        await sleep(fullJitterMs(attempt, 10, 320));
      }
    }
  }

  /** Asks the server for an answer over a pooled connection; throws DatabaseUnavailable. */
  async ping(): Promise<void> {
    await this.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => tx.last(PING),
    );
  }

  /** Closes idle connections at once and used ones when their work ends. */
  async close(): Promise<void> {
    for (const connection of this.late) this.letGo(connection);
    await this.pool.end();
  }

  private async attempt<T, Tx extends Transaction>(
    open: (connection: PoolClient) => Tx,
    work: (tx: Tx) => Promise<T>,
  ): Promise<T> {
    const connection = await this.acquire();
    const tx = open(connection);
    if (tx.access === 'read write' && this.isWaitedFor) {
      connection.release();
      throw new DatabaseUnavailable(new Error(`${this.late.size} commits are not answered`));
    }
    // The pool listens to idle connections only. Nobody listening to a used one would end the process when the server
    // goes away between two statements; the next statement tells the work about it.
    const onLoss = (error: Error): void => this.options.onIdleError?.(error);
    connection.on('error', onLoss);
    let broken = true;
    try {
      const result = await tx.run(() => work(tx), { isPooled: this.isPooled });
      broken = false;
      return result;
    } catch (error) {
      broken = !leavesConnectionSound(error);
      throw error;
    } finally {
      if (tx.lateAnswer) void this.keep(connection, tx.lateAnswer);
      else connection.release(broken);
      if (!tx.lateAnswer) connection.off('error', onLoss);
    }
  }

  /**
   * Keeps the connection until its commit is answered. Closed, it would be free here and stay on the server, which waits
   * for its standby whether or not anybody listens; a minute of that would take all the connections that the server has.
   */
  private async keep(connection: PoolClient, answer: Promise<unknown>): Promise<void> {
    this.late.add(connection);
    await answer.catch(() => {}); // Its work has been told that nothing is known.
    this.letGo(connection);
  }

  private letGo(connection: PoolClient): void {
    if (this.late.delete(connection)) connection.release(true);
  }

  /** Whether half of the connections wait for a late answer: the rest is left to readers, who can go on without a standby. */
  private get isWaitedFor(): boolean {
    return this.late.size >= Math.ceil((this.options.connectionsMax ?? 10) / 2);
  }

  private async acquire(): Promise<PoolClient> {
    try {
      return await this.pool.connect();
    } catch (error) {
      throw new DatabaseUnavailable(error);
    }
  }
}

function startupOptions(statementTimeoutMs?: number): string {
  const settings = {
    ...SESSION_SETTINGS,
    ...(statementTimeoutMs !== undefined && { statement_timeout: statementTimeoutMs }),
  };
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}
