import type { PolicyName } from '@holdfast/config';
import { TaskCancelledError } from 'cockatiel';
import { DependencyAway } from './policy.errors';

/**
 * The calls of a policy that are at work at a time, and those in line behind them. Of our own, since cockatiel's line keeps the place of
 * whoever has given up until it comes to their turn: impatient callers would fill it, and others be refused while nobody waits.
 */
export class Places {
  private taken = 0;
  /** In the order in which they came; whoever is taken out of the set has a place, or has given up. */
  private readonly line = new Set<() => void>();

  constructor(
    private readonly policy: PolicyName,
    private readonly limits: { readonly atOnceMax: number; readonly waitingMax: number },
  ) {}

  get atWork(): number {
    return this.taken;
  }

  get waiting(): number {
    return this.line.size;
  }

  /** Does the work once there is a place for it; what is given up before is not begun. Throws DependencyAway where the line is full. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.taken < this.limits.atOnceMax) this.taken += 1;
    else await this.standInLine(signal);
    try {
      return await work();
    } finally {
      this.leave();
    }
  }

  private async standInLine(signal: AbortSignal): Promise<void> {
    if (this.line.size >= this.limits.waitingMax) throw new DependencyAway(this.policy, 'bulkhead_full');
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = (): void => {
      if (this.line.delete(resolve)) reject(new TaskCancelledError());
    };
    this.line.add(resolve);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Hands the place to the first in line. */
  private leave(): void {
    const [next] = this.line;
    if (next) {
      this.line.delete(next);
      next();
    } else this.taken -= 1;
  }
}
