import { DomainError } from '@holdfast/kernel';

/** What a read may not exceed. */
export type ReadLimit = 'rows' | 'time' | 'memory';

const LIMITS: Readonly<Record<ReadLimit, { readonly code: string; readonly sentence: string }>> = {
  rows: { code: 'telemetry.query_too_large', sentence: 'The query would read more rows than one may.' },
  time: { code: 'telemetry.query_too_slow', sentence: 'The query takes longer than one may.' },
  memory: { code: 'telemetry.query_memory_exceeded', sentence: 'The query needs more memory than one may.' },
};

/**
 * A read has hit a limit of its own. The store is well, others are answered, and the same read meets the same limit until its range is
 * shorter or its filters are narrower: so it is no outage and no reason to try again.
 */
export class QueryTooLarge extends DomainError {
  readonly code: string;
  readonly kind = 'refused';

  constructor(
    readonly limit: ReadLimit,
    override readonly cause: unknown,
  ) {
    super(`${LIMITS[limit].sentence} Shorten the range or filter more narrowly.`);
    this.code = LIMITS[limit].code;
  }
}

/** ClickHouse's numbers (ErrorCodes.cpp): TOO_MANY_ROWS, TOO_MANY_ROWS_OR_BYTES, TOO_SLOW and TIMEOUT_EXCEEDED. */
const BY_NUMBER: Readonly<Record<string, ReadLimit>> = { 158: 'rows', 396: 'rows', 160: 'time', 159: 'time' };

/** MEMORY_LIMIT_EXCEEDED is of the query, or of the whole server, which is an outage: only the text says which. */
const MEMORY_NUMBER = '241';
const OF_THE_QUERY = /query memory limit|memory limit \(for query\)/i;

/** The limit that a statement has hit, if that is what the error says: of memory its own, or any, the server's included. */
export function limitOf(error: unknown, memory: 'own' | 'any' = 'own'): ReadLimit | undefined {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return undefined;
  if (error.code === MEMORY_NUMBER)
    return memory === 'any' || OF_THE_QUERY.test(error.message) ? 'memory' : undefined;
  return BY_NUMBER[error.code];
}
