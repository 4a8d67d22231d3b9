/** What a tenant's software can say of its users: the calls of Segment's specification, and log records of OpenTelemetry. */
export type TrackedKind = 'track' | 'identify' | 'page' | 'screen' | 'group' | 'alias' | 'log';

/**
 * What is dropped first when there is no room. `high` says who somebody is and is never sent again; `low` is sent in masses and misses
 * little when some of it is gone.
 */
export type Priority = 'high' | 'normal' | 'low';

/** An event as a protocol reads it from a request. Instants are milliseconds of the epoch; strings are well-formed and within limits. */
export interface TrackedEvent {
  readonly kind: TrackedKind;
  /** The event's name, the page's or screen's, or the severity of a log record. */
  readonly name: string;
  /** The sender's id of this message. Copies of a message have the same, and the same `madeAtMs`. */
  readonly messageId: string;
  readonly userId: string;
  readonly anonymousId: string;
  readonly groupId: string;
  /** When the sender's clock says that it happened: 0 if it does not say. */
  readonly madeAtMs: number;
  /** `madeAtMs` by our clock: corrected by the difference between `sentAt` and the arrival. */
  readonly atMs: number;
  readonly priority: Priority;
  readonly properties: object;
  readonly context: object;
}

/** Why an event was not stored. Every event that was received and is not stored is counted under one of these. */
export const DROP_REASONS = [
  /** It is not what the protocol describes. */
  'invalid',
  /** Larger than an event may be. */
  'oversized',
  /** It happened longer ago than the tenant's events are kept. */
  'late',
  /** It says that it will happen, by more than clocks differ. */
  'future',
  /** The tenant sends more than its plan includes. */
  'quota',
  /** There was no room in memory. */
  'overload',
  /** There was no room on the disk while the store was away. */
  'spill_full',
  /** The spill could not be written or read. */
  'spill_failed',
  /** The store refuses the row. */
  'refused',
  /** Its tenant has been erased since. */
  'erased',
  /** The process had to end before it could be written anywhere. */
  'shutdown',
] as const;

/** Why an event was not stored. */
export type DropReason = (typeof DROP_REASONS)[number];
