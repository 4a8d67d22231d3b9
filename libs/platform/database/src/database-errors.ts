import { Conflict, DomainError } from '@holdfast/kernel';
import { DatabaseError } from 'pg';

/** PostgreSQL cannot be reached, or has no connection free, within the time allowed. Nothing was changed. */
export class DatabaseUnavailable extends DomainError {
  readonly code = 'database.unavailable';
  readonly kind = 'unavailable';
  override readonly retryAfterSeconds = 1;

  constructor(override readonly cause: unknown) {
    super('The database cannot be reached. Nothing was changed; try again.');
  }
}

/** All connections of the pool are in use and stay so, or as many wait for one as may. Why work was refused, for the log. */
export class PoolExhausted extends Error {
  override readonly name = 'PoolExhausted';
}

/** The work met too many conflicts, or took too long, and was rolled back. */
export class DatabaseBusy extends DomainError {
  readonly code = 'database.busy';
  readonly kind = 'unavailable';
  override readonly retryAfterSeconds = 1;

  constructor(override readonly cause: unknown) {
    super('The database is too busy for this request. Nothing was changed; try again.');
  }
}

/**
 * The connection was lost, or replication was given up, while the transaction was committing: it may have committed or
 * not. A retry with the same idempotency key finds out and never acts twice.
 */
export class OutcomeUnknown extends DomainError {
  readonly code = 'outcome_unknown';
  readonly kind = 'unavailable';
  override readonly retryAfterSeconds = 1;

  constructor(override readonly cause: unknown) {
    super('It is not known whether the change was made. Repeat the request with the same idempotency key.');
  }
}

/** The database refused the tenant context (SQLSTATE HF001): a defect, or an attack. */
export class TenantContextRefused extends Error {
  override readonly name = 'TenantContextRefused';
}

/**
 * The transaction changed a recorded table and announced no event (SQLSTATE HF030), or an event whose predecessor was never
 * announced (HF031): a defect of the command. Nothing of it was committed.
 */
export class ChangeNotRecorded extends Error {
  override readonly name = 'ChangeNotRecorded';
}

/** PostgreSQL's own codes, from Appendix A of its manual. */
const SERIALIZATION_FAILURE = '40001';
const DEADLOCK_DETECTED = '40P01';
const LOCK_NOT_AVAILABLE = '55P03';
const QUERY_CANCELED = '57014';

/** The SQLSTATE of an error that PostgreSQL sent, else undefined. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined;
}

/** The DETAIL of such an error. */
export function sqlDetail(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.detail : undefined;
}

/** Whether the error is a violation of the named unique constraint. */
export function violates(error: unknown, constraint: string): boolean {
  return error instanceof DatabaseError && error.code === '23505' && error.constraint === constraint;
}

/** Whether the same work may succeed when it is simply done again. */
export function isRetryable(error: unknown): boolean {
  const state = sqlState(error);
  return state === SERIALIZATION_FAILURE || state === DEADLOCK_DETECTED;
}

/** Whether the error is about the database or the connection, and so says nothing about the work that met it. */
export function isOutage(error: unknown): boolean {
  return (
    error instanceof OutcomeUnknown || error instanceof DatabaseUnavailable || error instanceof DatabaseBusy
  );
}

/**
 * Whether a failure says that the server cannot be reached, or takes nobody: what the next one would meet as well. A pool without a
 * free connection is not that, nor a commit that waits for its standby: there the server is at work.
 */
export function isServerAway(error: unknown): boolean {
  const cause = error instanceof DatabaseUnavailable || error instanceof OutcomeUnknown ? error.cause : error;
  return !(cause instanceof PoolExhausted) && leavesOutcomeOpen(cause);
}

/** Whether the statement failed in a way that leaves the connection sound: the server answered, and will go on. */
export function leavesConnectionSound(error: unknown): boolean {
  if (error instanceof DomainError)
    return !(error instanceof OutcomeUnknown || error instanceof DatabaseUnavailable);
  const state = sqlState(error);
  return state !== undefined && /^(?:22|23|40|HF|P0|55P03)/.test(state);
}

/** What the caller is told about a failure inside a transaction; unknown errors pass through unchanged. */
export function translate(error: unknown): unknown {
  if (error instanceof DomainError) return error;
  const state = sqlState(error);
  if (state === undefined) return isConnectionLoss(error) ? new DatabaseUnavailable(error) : error;
  if (state === 'HF001') return new TenantContextRefused('no valid tenant context', { cause: error });
  if (state === 'HF030' || state === 'HF031')
    return new ChangeNotRecorded((error as DatabaseError).message, { cause: error });
  if (isRetryable(error) || state === LOCK_NOT_AVAILABLE || state === QUERY_CANCELED)
    return new DatabaseBusy(error);
  if (state === '23505' && (error as DatabaseError).constraint === STREAM_VERSION_KEY) return new Conflict();
  if (/^(?:08|53|57P)/.test(state) || state === '25P03' || state === '25P04')
    return new DatabaseUnavailable(error);
  return error;
}

/** The unique constraint behind optimistic concurrency on event streams. */
const STREAM_VERSION_KEY = 'log_tenant_id_stream_type_stream_id_stream_version_key';

/** Whether the driver, not the server, reports that there is no connection. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (
    'code' in error &&
    typeof error.code === 'string' &&
    /^(?:ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EHOST|ENET)/.test(error.code)
  )
    return true;
  return /connection (?:terminated|error|timeout)|not queryable|timeout exceeded when trying to connect|Client was closed/i.test(
    error.message,
  );
}

/** Whether a commit that failed like this may have happened: the connection or the server went away meanwhile. */
export function leavesOutcomeOpen(error: unknown): boolean {
  // A PANIC is the server dying, perhaps between the commit's record and its answer; recovery may find the record.
  const panicked = error instanceof DatabaseError && error.severity === 'PANIC';
  return panicked || isConnectionLoss(error) || /^(?:08|57P)/.test(sqlState(error) ?? '');
}
