import { DatabaseUnavailable, OutcomeUnknown, sqlState, TenantContextRefused } from '@holdfast/database';
import { fullJitterMs } from '@holdfast/kernel';
import type { Retry } from './consumer';

/** Events that a tenant may have parked in one group. Beyond them its cursor waits: the log keeps them as well. */
const PARKED_MAX = 100_000;

/** A tenant has as much parked in the group as may be. */
export class ParkedFull extends Error {
  override readonly name = 'ParkedFull';

  constructor() {
    super(`${PARKED_MAX} events of the tenant are parked; release or skip what is quarantined`);
  }
}

/** A page was not done in time although no key of it failed: the group is slow, and gets smaller pages. */
export class GroupTooSlow extends Error {
  override readonly name = 'GroupTooSlow';
}

/** Throws ParkedFull where so many more events would be too many. */
export function assertRoomFor(parked: bigint, more: number): void {
  if (parked + BigInt(more) > PARKED_MAX) throw new ParkedFull();
}

/** Whether the failure says nothing about the event that was being delivered, so that the whole group has to wait. */
export function isGroupFault(error: unknown): boolean {
  return [DatabaseUnavailable, OutcomeUnknown, TenantContextRefused, ParkedFull, GroupTooSlow].some(
    (kind) => error instanceof kind,
  );
}

/** Whether the log has no longer the tick that a cursor names. */
export function isTickGone(error: unknown): boolean {
  return sqlState(error) === 'HF012';
}

/** How long a key waits after so many failures in a row; undefined after the last, when an operator has to look. */
export function retryInMs({ attemptsMax, baseMs, capMs }: Retry, failures: number): number | undefined {
  return failures >= attemptsMax ? undefined : fullJitterMs(failures, baseMs, capMs);
}

/** The failure as operators see it. Names and codes; a consumer's message may hold more, so it is cut. */
export function reasonOf(failure: unknown): string {
  return String(failure).slice(0, 200);
}
