import { DeadlinePassed } from '@holdfast/kernel';
import { histogram } from '@holdfast/observability';
import { DependencyAway } from '@holdfast/resilience';
import { limitOf, QueryTooLarge } from './query-too-large';
import { TelemetryUnavailable } from './telemetry-unavailable';

const requestSeconds = histogram({
  name: 'holdfast_telemetry_request_duration_seconds',
  help: 'Time of reads, inserts, roll-ups, migrations and erasures of the telemetry store in seconds, by outcome (ok, unavailable or failed).',
  labels: ['operation', 'outcome'],
});
/** What is asked of the store, in its metrics. */
export type Operation = 'read' | 'insert' | 'migrate' | 'erase' | 'roll_up';

/**
 * Numbers of ClickHouse's (ErrorCodes.cpp) that say that the statement or its rows are wrong, and that nothing was stored:
 * they do not parse, convert, or fit the columns. Every other number (timeouts, memory, replicas, a full disk, an insert of
 * unknown outcome, a schema that no worker has applied so far) is about the store, and the same may work later.
 */
const REFUSALS = new Set(
  [
    [6, 10, 16, 20, 25, 26, 27, 33, 38, 41, 43, 44, 46, 47, 53, 62, 69, 70, 72, 90],
    [115, 117, 130, 131, 349, 376, 441, 456, 457, 469, 675, 676],
  ]
    .flat()
    .map(String),
);

/** chDB and the client bundle a ClickHouseError each, so it is known by its number and not by its class. */
export function isOutage(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  return !REFUSALS.has(code);
}

/**
 * Times the work. Throws TelemetryUnavailable when it is not the statement's or its rows' fault that it fails, and DeadlinePassed where a
 * reader's time was over, which is nobody's.
 */
export async function guarded<T>(operation: Operation, work: () => Promise<T>): Promise<T> {
  const stop = requestSeconds.startTimer({ operation });
  try {
    const result = await work();
    stop({ outcome: 'ok' });
    return result;
  } catch (error) {
    // Only a read has limits of its own: an insert that takes too long says nothing of whether its rows are stored.
    const limit = operation === 'read' ? limitOf(error) : undefined;
    const isLate = operation === 'read' && error instanceof DependencyAway && error.reason === 'given_up';
    const outage = !limit && !isLate && isOutage(error);
    stop({ outcome: outage ? 'unavailable' : 'failed' });
    if (isLate) throw new DeadlinePassed();
    if (limit) throw new QueryTooLarge(limit, error);
    throw outage ? new TelemetryUnavailable(error) : error;
  }
}
