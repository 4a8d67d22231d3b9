import type { DropReason, TrackedEvent } from '../tracked-event';

/** An event that a protocol could not read. `sample` is of what was sent, and not longer than anybody wants to read. */
export interface Reject {
  readonly reason: Extract<DropReason, 'invalid' | 'oversized'>;
  /** What is wrong, for whoever sent it. */
  readonly message: string;
  readonly sample: string;
}

/** What a protocol read from one request: every event that was sent is in one of the two. */
export interface Reading {
  readonly events: TrackedEvent[];
  readonly rejects: Reject[];
}

/** Why a request as a whole is not taken. Codes are stable; the status is what the SDKs of all protocols know. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';

  constructor(
    readonly status: 400 | 401 | 403 | 413 | 429,
    readonly code: `ingest.${string}`,
    message: string,
  ) {
    super(message);
  }
}

/** An event is not what the protocol describes; caught where the events of a request are gone through. */
export class EventRefused extends Error {
  override readonly name = 'EventRefused';

  constructor(
    readonly reason: Reject['reason'],
    message: string,
  ) {
    super(message);
  }
}
