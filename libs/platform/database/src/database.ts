import { type Deadline, DeadlinePassed, fullJitterMs } from '@holdfast/kernel';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool, type PoolClient, TypeOverrides } from 'pg';
import {
  DatabaseBusy,
  DatabaseUnavailable,
  isRetryable,
  leavesConnectionSound,
  PoolExhausted,
  translate,
} from './database-errors';
import { Circuit } from './circuit';
import { type PoolLoad, showLoad } from './pool-load';
import { CONNECTION_SETTINGS, KEEP_ALIVE } from './connection-settings';
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
  /** How long a connection may take to be made, and a free one to come, in milliseconds, before `database.unavailable`. */
  readonly acquireTimeoutMs?: number;
  /** How long to wait for a free one, where that is less. */
  readonly queueTimeoutMs?: number;
  /** In a line in which nobody was served for so long, in milliseconds, nobody waits on; absent: as long as is waited anyway. */
  readonly stalledAfterMs?: number;
  /** How long one statement may run, in milliseconds. */
  readonly statementTimeoutMs?: number;
  /** Reports that a connection was lost while no statement was running on it. */
  readonly onIdleError?: (error: Error) => void;
}

/** Three times what a loaded server takes for a connection with TLS and a password. */
const ACQUIRE_TIMEOUT_MS = 3_000;
/** Those behind so many would wait longer than is waited: they are told so at once. */
const WAITING_PER_CONNECTION = 16;
/** How long is waited in a line that does not move: some times what a transaction takes. */
const STANDING_LINE_MS = 50;

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
  private readonly circuit: Circuit;
  private readonly hideLoad: () => void;
  /** When a connection was last free, or somebody in the line for one was served soon. */
  private movedAtMs = 0;
  /** When somebody was last given a connection, and how many are about to be. */
  private servedAtMs = 0;
  private taking = 0;
  /** Connections whose commit was not answered in time. */
  private readonly late = new Set<PoolClient>();

  constructor(private readonly options: DatabaseOptions) {
    const url = new URL(options.url);
    this.circuit = new Circuit(
      options.name,
      () => this.load,
      () => this.attempt(reading, ping, undefined),
    );
    this.hideLoad = showLoad(options.name, () => this.load);
    this.isPooled = url.searchParams.get('pgbouncer') === 'true';
    url.searchParams.delete('pgbouncer');
    this.pool = new Pool({
      connectionString: url.href,
      application_name: options.name,
      max: options.connectionsMax ?? 10,
      connectionTimeoutMillis: options.acquireTimeoutMs ?? ACQUIRE_TIMEOUT_MS,
      pipeline: true,
      ...KEEP_ALIVE,
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
  get load(): PoolLoad {
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
   * therefore have no effect outside the transaction. It begins before the deadline or not at all, and no statement is issued behind
   * it. Throws DatabaseBusy, DatabaseUnavailable, DeadlinePassed or OutcomeUnknown.
   */
  async transaction<T, Tx extends Transaction>(
    open: (connection: PoolClient) => Tx,
    work: (tx: Tx) => Promise<T>,
    deadline?: Deadline,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.circuit.run(() => this.attempt(open, work, deadline), deadline);
      } catch (error) {
        if (!isRetryable(error)) throw told(error, deadline);
        deadline?.check();
        if (attempt === ATTEMPTS_MAX) throw new DatabaseBusy(error);
        await sleep(fullJitterMs(attempt, 10, 320));
      }
    }
  }

  /**
   * Asks the server for an answer over a pooled connection; throws DatabaseUnavailable. A stall of the line that is over within the time in
   * which a connection is waited for is no absence: all processes of a server would be taken for gone at once.
   */
  async ping(): Promise<void> {
    const giveUpAtMs = performance.now() + this.queueTimeoutMs;
    for (;;) {
      try {
        await this.transaction(reading, ping);
        return;
      } catch (error) {
        const isExhausted = error instanceof DatabaseUnavailable && error.cause instanceof PoolExhausted;
        if (!isExhausted || performance.now() > giveUpAtMs) throw error;
        await sleep(STANDING_LINE_MS);
      }
    }
  }

  /** Closes idle connections at once and used ones when their work ends. */
  async close(): Promise<void> {
    this.hideLoad();
    this.circuit.hide();
    for (const connection of this.late) this.letGo(connection);
    await this.pool.end();
  }

  private async attempt<T, Tx extends Transaction>(
    open: (connection: PoolClient) => Tx,
    work: (tx: Tx) => Promise<T>,
    deadline: Deadline | undefined,
  ): Promise<T> {
    const connection = await this.acquire(deadline);
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
      const { statementTimeoutMs } = this.options;
      const result = await tx.run(() => work(tx), {
        isPooled: this.isPooled,
        deadline,
        ...(statementTimeoutMs !== undefined && { statementTimeoutMs }),
      });
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

  private async acquire(deadline: Deadline | undefined): Promise<PoolClient> {
    deadline?.check();
    const { used, idle, waiting, max } = this.load;
    // The pool hands on what is idle a moment later, so those who are waiting may be about to get it.
    if (max - used > waiting) {
      this.movedAtMs = performance.now();
      const coming = this.takeFree();
      // One that is idle is there at once.
      return deadline && idle <= waiting ? inTime(coming, deadline) : coming;
    }
    if (waiting >= max * WAITING_PER_CONNECTION)
      throw new DatabaseUnavailable(new PoolExhausted(`${waiting} wait for a connection`));
    return this.waitInLine(deadline);
  }

  /** One that is idle, or is made. */
  private async takeFree(): Promise<PoolClient> {
    this.taking += 1;
    try {
      return await this.connect();
    } finally {
      this.taking -= 1;
      this.servedAtMs = performance.now();
    }
  }

  private async connect(): Promise<PoolClient> {
    try {
      return await this.pool.connect();
    } catch (error) {
      throw new DatabaseUnavailable(
        isPoolTimeout(error) ? new PoolExhausted(error.message, { cause: error }) : error,
      );
    }
  }

  /** The pool has one time for making a connection and for waiting until one is free; the latter is mostly the shorter one. */
  private async waitInLine(deadline: Deadline | undefined): Promise<PoolClient> {
    const cameAtMs = performance.now();
    const [leftMs, usualMs] = [deadline?.leftMs ?? Infinity, this.patienceMs()];
    const patienceMs = Math.min(usualMs, leftMs);
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const coming = this.connect();
    let isLate = false;
    let timer: NodeJS.Timeout;
    const giveUp = (): void => {
      const aliveMs = Math.max(this.lastServedMs - cameAtMs, 0) + this.stalledAfterMs;
      const [waitedMs, mayWaitMs] = [performance.now() - cameAtMs, Math.min(patienceMs, aliveMs)];
      // The line has moved since, or the timer was early.
      if (waitedMs < mayWaitMs) return void (timer = setTimeout(giveUp, Math.ceil(mayWaitMs - waitedMs)));
      isLate = true;
      const exhausted = new PoolExhausted(`no connection was free within ${Math.round(mayWaitMs)} ms`);
      reject(mayWaitMs === leftMs ? new DeadlinePassed() : new DatabaseUnavailable(exhausted));
    };
    timer = setTimeout(giveUp, Math.min(patienceMs, this.stalledAfterMs));
    // Who has given up keeps a place in the pool's line: what comes to it goes to the next.
    coming.then(
      (connection) => isLate && connection.release(),
      () => {},
    );
    try {
      const connection = await Promise.race([coming, tooLate]);
      const now = (this.servedAtMs = performance.now());
      if (now - cameAtMs < usualMs / 2) this.movedAtMs = now;
      return connection;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * How long the next one waits. A line that moves is a burst, however long it lasts: somebody is served soon again and again. Where for as
   * long as anybody would wait nobody was served in half of that, there is more than there is room for: waiting helps nobody then, and who
   * comes is told soon (after controlled delay, Nichols and Jacobson 2012, which looks at the least wait of an interval). The same where nobody was
   * served at all for a while.
   */
  private patienceMs(): number {
    const now = performance.now();
    const isStanding =
      now - this.movedAtMs > this.queueTimeoutMs || now - this.lastServedMs > this.stalledAfterMs;
    return isStanding ? Math.min(STANDING_LINE_MS, this.queueTimeoutMs) : this.queueTimeoutMs;
  }

  /** A connection that is being made is no sign of a stall. */
  private get lastServedMs(): number {
    return this.taking > 0 ? performance.now() : this.servedAtMs;
  }

  private get queueTimeoutMs(): number {
    return this.options.queueTimeoutMs ?? this.options.acquireTimeoutMs ?? ACQUIRE_TIMEOUT_MS;
  }

  private get stalledAfterMs(): number {
    return this.options.stalledAfterMs ?? this.queueTimeoutMs;
  }
}

/** A connection, as long as there is time for it: one that comes later goes back to the pool. */
async function inTime(coming: Promise<PoolClient>, deadline: Deadline): Promise<PoolClient> {
  try {
    return await deadline.within(coming);
  } catch (error) {
    coming.then(
      (connection) => connection.release(),
      () => {}, // It was told, or nobody waits for it any more.
    );
    throw error;
  }
}

const reading = (connection: PoolClient): SystemTx => new SystemTx(connection, 'read only');
const ping = (tx: SystemTx): Promise<unknown> => tx.last(PING);

/** What the pool says where no connection was free in time; one that could not be made fails otherwise. */
function isPoolTimeout(error: unknown): error is Error {
  return error instanceof Error && error.message === 'timeout exceeded when trying to connect';
}

/** A statement that PostgreSQL ended because its time was over was ended by the deadline, where that has passed. */
function told(error: unknown, deadline: Deadline | undefined): unknown {
  const translated = translate(error);
  return translated instanceof DatabaseBusy && deadline?.leftMs === 0 ? new DeadlinePassed() : translated;
}

function startupOptions(statementTimeoutMs?: number): string {
  const settings = {
    ...SESSION_SETTINGS,
    ...CONNECTION_SETTINGS,
    ...(statementTimeoutMs !== undefined && { statement_timeout: statementTimeoutMs }),
  };
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}
