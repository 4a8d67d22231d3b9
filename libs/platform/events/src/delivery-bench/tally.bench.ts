import { ACCOUNTS_IN_ALL } from './accounts.bench';
import type { Movement } from './contestant.bench';

/** Movements of one account that a run has room for: at 2,000 a second over all, half an hour. */
const VERSIONS_MAX = 4_096;

/** What a run came to. Times in milliseconds, from the answer to the commit until the handler was called. */
export interface Outcome {
  readonly committed: number;
  /** Not handled in time. */
  readonly missing: number;
  /** Movements that were handled after a later one of the same account. */
  readonly inverted: number;
  /** Calls with a movement that had been handled before. */
  readonly repeated: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** When each movement was committed: written by the writers' thread, read by the one that handles. */
export class CommitTimes {
  private readonly times: Float64Array;

  constructor(
    readonly firstPlace: number,
    readonly shared: SharedArrayBuffer = new SharedArrayBuffer(
      ACCOUNTS_IN_ALL * VERSIONS_MAX * Float64Array.BYTES_PER_ELEMENT,
    ),
  ) {
    this.times = new Float64Array(shared);
  }

  /** Notes movements whose commit has just been answered. */
  note(movements: readonly Movement[]): void {
    const now = nowMs();
    for (const movement of movements) this.times[this.placeOf(movement)] = now;
  }

  /** Forgets all: what has been committed so far is not measured. */
  clear(): void {
    this.times.fill(0);
  }

  /** When, or 0. */
  at(place: number): number {
    return this.times[place] ?? 0;
  }

  /** Where the movement stands among all; negative for one of an earlier run. */
  placeOf({ place, version }: Movement): number {
    if (version >= VERSIONS_MAX) throw new Error(`an account moved more than ${VERSIONS_MAX} times`);
    return (place - this.firstPlace) * VERSIONS_MAX + version;
  }

  get length(): number {
    return this.times.length;
  }
}

/** Notes what is handled, and in which order. */
export class Tally {
  private readonly handledAt: Float64Array;
  private readonly lastVersion = new Float64Array(ACCOUNTS_IN_ALL);
  private inverted = 0;
  private repeated = 0;
  handled = 0;
  lastHandledAt = 0;

  constructor(private readonly committedAt: CommitTimes) {
    this.handledAt = new Float64Array(committedAt.length);
  }

  readonly handle = (movements: readonly Movement[]): void => {
    const now = nowMs();
    this.lastHandledAt = now;
    for (const movement of movements) this.note(movement, now);
  };

  /** The outcome for all movements that were committed. */
  outcome(): Outcome {
    const latencies: number[] = [];
    let missing = 0;
    for (let place = 0; place < this.committedAt.length; place += 1) {
      const committed = this.committedAt.at(place);
      if (committed === 0) continue;
      const handled = this.handledAt[place] ?? 0;
      if (handled === 0) missing += 1;
      else latencies.push(Math.max(0, handled - committed));
    }
    const sorted = Float64Array.from(latencies).toSorted();
    const share = (part: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
    const { inverted, repeated } = this;
    const counts = { committed: latencies.length + missing, missing, inverted, repeated };
    return { ...counts, p50Ms: share(0.5), p99Ms: share(0.99), maxMs: share(1) };
  }

  private note(movement: Movement, now: number): void {
    const place = this.committedAt.placeOf(movement);
    if (place < 0) return;
    if ((this.handledAt[place] ?? 0) > 0) {
      this.repeated += 1;
      return;
    }
    this.handledAt[place] = now;
    this.handled += 1;
    const account = Math.floor(place / VERSIONS_MAX);
    if (movement.version < (this.lastVersion[account] ?? 0)) this.inverted += 1;
    else this.lastVersion[account] = movement.version;
  }
}

/** One clock for all threads: CLOCK_MONOTONIC, in milliseconds. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
