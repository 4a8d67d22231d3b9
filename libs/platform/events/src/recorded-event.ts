import { createHash } from 'node:crypto';

/** An event as the log holds it. `seq` orders events of one delivery; positions are nobody's business but the cursor's. */
export interface RecordedEvent {
  readonly seq: bigint;
  readonly id: string;
  readonly tenantId: string;
  readonly streamType: string;
  readonly streamId: string;
  readonly streamVersion: bigint;
  readonly type: string;
  readonly schemaVersion: number;
  readonly actor: string;
  /** The operator who acted for the actor, or null. */
  readonly act: string | null;
  readonly correlationId: string;
  readonly causationId: string | null;
  readonly traceparent: string | null;
  /** RFC 3339, UTC, to the microsecond. Text, because a Date ends at milliseconds and stores would differ from the log. */
  readonly occurredAt: string;
  readonly data: unknown;
}

/**
 * A name for exactly these events in this order. Made of ids, so that it survives a restore that changes positions; and of
 * how often the group was replayed, so that a store which has lost what it had does not drop it as a copy.
 */
export function tokenOf(events: readonly RecordedEvent[], generation: number): string {
  const hash = createHash('sha256');
  if (generation > 0) hash.update(`replay ${generation}: `);
  for (const event of events) hash.update(event.id);
  return hash.digest('hex');
}
