import { DomainError } from '@holdfast/kernel';
import { ATTEMPTS_MAX, LASTING_ATTEMPTS_MAX, type Saga, type SagaStep } from './saga';
import type { SagaRow } from './sagas.sql';

/** What is to be done next with a saga. */
export type SagaMove =
  | { readonly move: 'step'; readonly step: SagaStep }
  | { readonly move: 'compensate'; readonly step: SagaStep }
  | GivenUp;

/** What becomes of a saga whose step, or compensation, has failed. */
export type FailedMove = { readonly move: 'again'; readonly attempt: number } | GivenUp;

/** Where no attempt is left. */
type GivenUp =
  | { readonly move: 'turn_back'; readonly reason: string }
  | { readonly move: 'stop'; readonly reason: string };

/** Why a saga turned back that no step has refused. */
export const CANCELLED = 'sagas.cancelled';
export const TIMED_OUT = 'sagas.timed_out';
/** Why it was given up, or stopped, where the last of its attempts had ended with its process. */
const PROCESS_LOST = 'sagas.process_lost';

/** What its definition and row say is next. Pure. */
export function nextMove(saga: Saga, row: SagaRow): SagaMove {
  const step = stepAt(saga, row.place);
  // Whoever fails has the saga given up before: so many have not come to say how the last one ended. Few say nothing about the step, be it one
  // that may fail but once: a process is lost for other reasons as well.
  if (row.attempts >= Math.max(ATTEMPTS_MAX, attemptsMaxOf(step, row)))
    return givenUp(saga, row, PROCESS_LOST);
  if (row.backward) return { move: 'compensate', step };
  if (canTurnBack(saga, row) && row.cancelRequested) return { move: 'turn_back', reason: CANCELLED };
  if (canTurnBack(saga, row) && row.isLate) return { move: 'turn_back', reason: TIMED_OUT };
  return { move: 'step', step };
}

/** What a failure makes of it. Pure. */
export function moveAfterFailure(saga: Saga, row: SagaRow, error: unknown): FailedMove {
  const step = stepAt(saga, row.place);
  const reason = reasonOf(error);
  const attempt = row.attempts + 1;
  // A refusal says that the step has no effect and will have none, so that even a pivot can be turned back from.
  if (!row.backward && row.place < saga.committedFrom && isRefusal(error))
    return { move: 'turn_back', reason };
  return attempt < attemptsMaxOf(step, row) ? { move: 'again', attempt } : givenUp(saga, row, reason);
}

function attemptsMaxOf(step: SagaStep, { backward }: SagaRow): number {
  return backward ? LASTING_ATTEMPTS_MAX : step.attemptsMax;
}

function givenUp(saga: Saga, row: SagaRow, reason: string): GivenUp {
  return { move: canTurnBack(saga, row) ? 'turn_back' : 'stop', reason };
}

const RETRY_SECONDS = 0.2;
const RETRY_SECONDS_MAX = 120;

/**
 * How long to wait behind attempt `attempt` (counted from 1) before the next: 0.2 s doubled up to two minutes, half of it by chance. So
 * attempts spread, and yet last for as long as their number says.
 */
export function retrySeconds(attempt: number): number {
  const seconds = Math.min(RETRY_SECONDS_MAX, RETRY_SECONDS * 2 ** (attempt - 1));
  return seconds * (0.5 + Math.random() / 2);
}

/** Whether nothing has happened yet after which there is no way back. A pivot that was called may have taken effect. */
export function canTurnBack(saga: Saga, row: Pick<SagaRow, 'backward' | 'place' | 'intended'>): boolean {
  if (row.backward || row.place >= saga.committedFrom) return false;
  return !(stepAt(saga, row.place).kind === 'pivot' && row.intended);
}

/**
 * The place that is compensated first when it turns back: that of the step under way, where it may have taken effect without being heard
 * of (in another tenant, outside, or as the saga began), and otherwise of the last one before it. -1 where there is none.
 */
export function turningPoint(saga: Saga, { place, intended }: SagaRow): number {
  const { kind, does, tenant, mayBeDoneBefore } = stepAt(saga, place);
  const mayBeDone = does === 'remote' ? intended : tenant !== undefined || mayBeDoneBefore;
  return mayBeDone && kind === 'compensatable' ? place : compensatedBefore(saga, place);
}

/** The place below that is compensated next, or -1. */
export function compensatedBefore(saga: Saga, place: number): number {
  return saga.steps.findLastIndex(
    (step, at) => at < place && (step.compensate !== undefined || step.cancel !== undefined),
  );
}

/** A stable code for what went wrong; texts of errors may hold what is the tenant's. */
export function reasonOf(error: unknown): string {
  if (error instanceof DomainError) return error.code;
  return error instanceof Error ? `sagas.failed.${error.name}` : 'sagas.failed';
}

/** Whether somebody has decided, and will not decide otherwise when asked again. */
export function isRefusal(error: unknown): boolean {
  return error instanceof DomainError && error.kind !== 'unavailable' && error.kind !== 'too_many';
}

function stepAt({ name, steps }: Saga, place: number): SagaStep {
  const step = steps[place];
  if (!step) throw new Error(`${name} has no step at ${place}`);
  return step;
}
