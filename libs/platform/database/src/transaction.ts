import type { Socket } from 'node:net';
import type { Deadline } from '@holdfast/kernel';
import { inStepSpan } from '@holdfast/observability';
import type { PoolClient, QueryResult } from 'pg';
import {
  DatabaseUnavailable,
  isConnectionLoss,
  leavesOutcomeOpen,
  OutcomeUnknown,
  sqlState,
} from './database-errors';
import { AnswerWatch } from './answer-watch';
import { SESSION_SETTINGS } from './session-settings';
import { refuseUtility, type Statement } from './statement';

/** A statement of the protocol around a unit of work. */
interface Step {
  readonly name: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

const step = (text: string): Step => ({ name: text, text });

/**
 * Ends whatever an earlier statement may have left in the session: cursors held over a commit, session-level settings
 * and advisory locks. Utility statements cannot reach a session (see `refuseUtility`), so prepared statements and
 * listeners need no reset, and the driver's own stay usable.
 */
const RESET: readonly Step[] = ['close all', 'reset all', 'select pg_advisory_unlock_all()'].map(step);

/**
 * How long the answer to a commit is waited for, in milliseconds, once the statements before it are answered: as long as
 * a statement may run. PostgreSQL itself has no limit for it: with its synchronous standby gone it waits for ever.
 */
const COMMIT_TIMEOUT_MS = 5_000;

/** Of a session that nobody asked to have another. */
const DEFAULT_STATEMENT_TIMEOUT_MS: number = SESSION_SETTINGS.statement_timeout;

/** How much later than the server ends a statement its answer has to be here, in milliseconds. */
const ANSWER_GRACE_MS = 1_000;

/**
 * What a transaction may do. In `one snapshot` it reads, and each of its statements sees what was committed before the first:
 * for readings that have to fit together. Vacuum keeps everything back that it could see.
 */
export type Access = 'read only' | 'read write' | 'one snapshot';

/** How a transaction is run. */
export interface RunOptions {
  /** Whether a pooler in transaction mode is in between. */
  readonly isPooled?: boolean;
  readonly deadline?: Deadline | undefined;
  /** How long a statement of the session may run, in milliseconds. */
  readonly statementTimeoutMs?: number | undefined;
}

const OPENING: Readonly<Record<Access, string>> = {
  'read only': 'read committed, read only',
  'read write': 'read committed, read write',
  'one snapshot': 'repeatable read, read only',
};

/** Without it the driver sends a text that has neither a name nor values as a script, which may hold several commands. */
const EXTENDED = { queryMode: 'extended' };

/** A connection of a pool. Nothing outside this lib does anything with one but hand it on. */
export type Connection = PoolClient;

/**
 * One open transaction on one connection. Statements may be issued without awaiting each other: they run in the order
 * of their issue. A transaction is for one unit of work and is over when the function that was given it returns.
 */
export class Transaction {
  private readonly issued: Promise<unknown>[] = [];
  /**
   * Set where the server did not open the transaction: it recovers, or is a standby, and takes no writes. Statements that were
   * sent behind it ran outside of any transaction, and what they complain of is not the reason.
   */
  private refusal: DatabaseUnavailable | undefined;
  private failure: { readonly error: unknown } | undefined;
  private committing: Promise<QueryResult> | undefined;
  private late = false;
  private readonly warnings: unknown[] = [];
  /** Those that work is behind, the outermost first. */
  private readonly savepoints: { readonly name: string; isSent: boolean }[] = [];
  private over = false;
  private isPooled = false;
  private watch: AnswerWatch;
  private deadline: Deadline | undefined;

  constructor(
    private readonly connection: PoolClient,
    readonly access: Access = 'read write',
  ) {
    this.watch = this.watchFor(DEFAULT_STATEMENT_TIMEOUT_MS);
  }

  /** Of a commit that was not answered in time: its answer, should it come. Until then the server may hold its locks. */
  get lateAnswer(): Promise<unknown> | undefined {
    return this.late ? this.committing : undefined;
  }

  /**
   * Opens the transaction, does the work and commits; rolls back and rethrows what made it fail. Behind a pooler in
   * transaction mode the server's session is another one each time, so nothing is prepared in it by name. Of a deadline, a statement
   * gets what was left of it at the beginning, where that is less than statements have; no statement is issued behind it.
   */
  async run<T>(
    work: () => Promise<T>,
    { isPooled = false, deadline, statementTimeoutMs = DEFAULT_STATEMENT_TIMEOUT_MS }: RunOptions = {},
  ): Promise<T> {
    this.isPooled = isPooled;
    this.deadline = deadline;
    this.watch = this.watchFor(statementTimeoutMs);
    this.begin();
    if (deadline && deadline.leftMs < statementTimeoutMs) this.limitStatements(deadline.leftMs);
    try {
      const result = await work();
      this.over = true;
      if (this.failure) throw this.failure.error;
      await this.commit();
      return result;
    } catch (error) {
      this.over = true;
      await this.rollback(error);
      throw this.outcomeOf(this.rootCause(error));
    }
  }

  /** The rows of a statement. */
  async rows<Row>(statement: Statement<Row>, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.issue(statement, values)).rows as Row[];
  }

  /** The one row of a statement, or undefined. */
  async row<Row>(statement: Statement<Row>, values: readonly unknown[] = []): Promise<Row | undefined> {
    return (await this.rows(statement, values))[0];
  }

  /** Runs a statement and answers how many rows it touched. */
  async execute(statement: Statement<unknown>, values: readonly unknown[] = []): Promise<number> {
    return (await this.issue(statement, values)).rowCount ?? 0;
  }

  /** The rows of the transaction's last statement, sent together with the commit to save a round trip. */
  async last<Row>(statement: Statement<Row>, values: readonly unknown[] = []): Promise<Row[]> {
    const rows = this.rows(statement, values);
    this.over = true;
    void this.sendCommit();
    return rows;
  }

  /**
   * Runs work so that its failure undoes its own statements and not the whole transaction. What failed is thrown. The savepoint is sent with
   * the first statement of the work: without one there is nothing to undo.
   */
  async savepoint<T>(work: () => Promise<T>): Promise<T> {
    // By its depth: one inside that has ended is there still, and is not to be taken for the one around it.
    const savepoint = { name: `undo_${this.savepoints.length}`, isSent: false };
    this.savepoints.push(savepoint);
    try {
      const result = await work();
      await this.settle();
      return result;
    } catch (error) {
      await Promise.all(this.issued.splice(0));
      const cause = this.rootCause(error);
      if (isConnectionLoss(cause)) throw cause;
      this.failure = undefined;
      if (savepoint.isSent) await this.control(`rollback to savepoint ${savepoint.name}`);
      throw cause;
    } finally {
      this.savepoints.pop();
    }
  }

  /**
   * What is sent first, without waiting for any of it: `begin`, then the reset of the session, since a pooler may give a
   * statement ahead of `begin` to another session. A subclass that enters a tenant resets in the same statement.
   */
  protected opening(begin: Step): readonly Step[] {
    return [begin, ...RESET];
  }

  private begin(): void {
    // Says all that a setting of the session could say otherwise: it may be read before the reset.
    const text = `begin isolation level ${OPENING[this.access]}, not deferrable`;
    const begin = { name: `begin ${this.access}`, text };
    const [opened] = this.opening(begin).map((each) => this.track(this.ask(each)));
    void opened?.catch((error: unknown) => {
      if (sqlState(error) !== undefined) this.refusal = new DatabaseUnavailable(error);
    });
  }

  private limitStatements(ms: number): void {
    const text = "select set_config('statement_timeout', $1, true)";
    // 0 would be no limit at all.
    const values = [String(Math.max(1, Math.ceil(ms)))];
    void this.track(this.send({ name: 'limit statements', text, values })).catch(() => {}); // Noted by `track`.
  }

  private async commit(): Promise<void> {
    // Sent behind the last statements without waiting for them; they are looked at first.
    const sent = this.committing ?? this.sendCommit();
    await Promise.all(this.issued.splice(0));
    const [committed] = await Promise.allSettled([this.inTime(sent)]);
    if (this.failure) throw this.failure.error;
    if (committed.status === 'rejected') throw committed.reason;
    // PostgreSQL answers ROLLBACK to the commit of a transaction that has failed.
    if (committed.value.command !== 'COMMIT')
      throw new Error('the transaction was rolled back at its commit');
    // A warning here says that the wait for a synchronous standby was given up.
    if (this.warnings.length > 0) throw new OutcomeUnknown(this.warnings[0]);
  }

  private async inTime(commit: Promise<QueryResult>): Promise<QueryResult> {
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.late = true;
      const reason = new Error(`the commit was not answered within ${COMMIT_TIMEOUT_MS} ms`);
      reject(this.access === 'read write' ? new OutcomeUnknown(reason) : new DatabaseUnavailable(reason));
    }, COMMIT_TIMEOUT_MS);
    try {
      return await Promise.race([commit, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async rollback(cause: unknown): Promise<void> {
    if (this.late || cause instanceof OutcomeUnknown || isConnectionLoss(cause)) return;
    // `track` has noted each failure; a rollback that fails leaves a connection that the pool destroys.
    await Promise.all(this.issued.splice(0));
    // Of a transaction that has failed, a commit that is on its way is the rollback.
    const ended = this.committing ?? this.ask(step('rollback'));
    await ended.catch((error: unknown) => (this.failure ??= { error }));
  }

  /** What a failure amounts to: once a commit is on its way, a connection that is lost may have carried it. */
  private outcomeOf(error: unknown): unknown {
    const open = this.committing && this.access === 'read write' && leavesOutcomeOpen(error);
    return open ? new OutcomeUnknown(error) : error;
  }

  private issue(statement: Statement<unknown>, values: readonly unknown[]): Promise<QueryResult> {
    if (this.over) throw new Error(`statement ${statement.name} was issued after its transaction had ended`);
    this.check(statement);
    for (const savepoint of this.savepoints) {
      if (!savepoint.isSent) void this.control(`savepoint ${savepoint.name}`);
      savepoint.isSent = true;
    }
    return this.track(this.ask({ ...statement, values }));
  }

  /** What is not sent fails the transaction as what the server refuses does, whether or not whoever issued it looks. */
  private check({ text }: Statement<unknown>): void {
    try {
      this.deadline?.check();
      refuseUtility(text);
    } catch (error) {
      this.failure ??= { error };
      throw error;
    }
  }

  private sendCommit(): Promise<QueryResult> {
    const onNotice = (notice: { readonly severity?: string | undefined }): void => {
      if (notice.severity === 'WARNING') this.warnings.push(notice);
    };
    this.connection.on('notice', onNotice);
    this.committing = this.send(step('commit')).finally(() => this.connection.off('notice', onNotice));
    this.committing.catch(() => {}); // Looked at by `commit`, once the statements before it are.
    return this.committing;
  }

  /** A statement that fails leaves the later ones of the pipeline with a follow-on error (25P02): the first tells why. */
  private rootCause(error: unknown): unknown {
    if (this.refusal) return this.refusal;
    return sqlState(error) === '25P02' ? (this.failure?.error ?? error) : error;
  }

  private control(text: string): Promise<unknown> {
    return this.track(this.ask(step(text)));
  }

  /** Sends what has to be answered within the time of a statement; a commit has a time and a meaning of its own. */
  private ask(asked: Step): Promise<QueryResult> {
    this.watch.sent();
    return this.send(asked).finally(() => this.watch.answered());
  }

  private watchFor(statementTimeoutMs: number): AnswerWatch {
    return new AnswerWatch(statementTimeoutMs + ANSWER_GRACE_MS, (error) => cut(this.connection, error));
  }

  private send({ name, text, values = [] }: Step): Promise<QueryResult> {
    this.cork();
    const attributes = { 'db.system.name': 'postgresql', 'db.query.summary': name };
    return inStepSpan(`sql ${name}`, attributes, () =>
      this.connection.query({ ...EXTENDED, ...(!this.isPooled && { name }), text, values: [...values] }),
    );
  }

  /**
   * Has what is issued before anything is waited for travel together: each packet is a system call here and one there, and wakes a
   * process.
   */
  private cork(): void {
    const { stream } = this.connection.connection;
    if (stream.writableCorked > 0) return;
    stream.cork();
    // Behind the microtasks under way, which may issue more.
    process.nextTick(() => stream.uncork());
  }

  private track<T>(sent: Promise<T>): Promise<T> {
    // A copy of the promise, so that the first failure is noted whether or not the caller looks at it.
    this.issued.push(sent.catch((error: unknown) => void (this.failure ??= { error })));
    return sent;
  }

  /** Waits until every statement issued so far has been answered, and throws the first failure. */
  private async settle(): Promise<void> {
    await Promise.all(this.issued.splice(0));
    if (this.failure) throw this.failure.error;
  }
}

/** Ends a connection at this side at once: `end` would wait for the answers that do not come. */
function cut(connection: PoolClient, error: Error): void {
  // The driver has no way to say it, and its types do not show the socket.
  const { stream } = (connection as unknown as { readonly connection: { readonly stream: Socket } })
    .connection;
  stream.destroy(error);
}

/**
 * A transaction without a tenant, in a role that is made for one task (the sequencer, a look-up of credentials, the
 * operator's list). Row-level security gives such a role exactly the rows that its named policies allow.
 */
export class SystemTx extends Transaction {}
