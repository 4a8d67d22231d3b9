import { DomainError } from './domain-error';

/** The time that the work had is over. What was not begun by then was not begun. */
export class DeadlinePassed extends DomainError {
  readonly code = 'request.deadline_passed';
  readonly kind = 'unavailable';
  override readonly retryAfterSeconds = 1;

  constructor() {
    super('The time for this request was over before it was done. Try again, or allow it more time.');
  }
}

/** What a transaction of a job, a task or a saga's step has: less than the 30 s after which PostgreSQL ends it, and its connection with it. */
export const JOB_TRANSACTION_MS = 25_000;

/**
 * The instant by which a piece of work has to be done, by this process's monotonic clock. It goes with the work: a transaction and a call
 * get what is left of it, and nothing begins once it has passed.
 */
export class Deadline {
  private constructor(private readonly atMs: number) {}

  /** In so many milliseconds. */
  static in(ms: number): Deadline {
    return new Deadline(performance.now() + ms);
  }

  /** Milliseconds that are left; 0 once it has passed. */
  get leftMs(): number {
    return Math.max(0, this.atMs - performance.now());
  }

  /** Throws DeadlinePassed once it has. */
  check(): void {
    if (this.leftMs === 0) throw new DeadlinePassed();
  }

  /** What the work answers, if it does so in time. Throws DeadlinePassed; the work itself goes on. */
  async within<T>(work: Promise<T>): Promise<T> {
    const { promise: passed, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new DeadlinePassed()), this.leftMs);
    try {
      return await Promise.race([work, passed]);
    } finally {
      clearTimeout(timer);
    }
  }
}
