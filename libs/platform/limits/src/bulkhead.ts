import { gauge } from '@holdfast/observability';

const permitsInUse = gauge({
  name: 'holdfast_limits_permits_in_use',
  help: 'Requests of tenants that are at work in this process.',
});
const waitingForPermit = gauge({
  name: 'holdfast_limits_waiting',
  help: 'Requests that wait for another one of their tenant to end.',
});

/** Requests of one key wait for each other this long at most: a stall of the database is ridden out, a queue is not built. */
const WAIT_MAX_MS = 250;

/** Gives a permit back. A second call does nothing. */
export type Release = () => void;

/** Is told how to give up a place in line, for when whoever waits there has gone. */
export type Wait = (giveUp: () => void) => void;

/** What one key may take. */
export interface Room {
  /** Requests at work at once. */
  readonly permits: number;
  /** Requests in line behind them. */
  readonly places: number;
}

interface Compartment {
  inUse: number;
  /** In the order in which they came. Who is taken out of the set decides, and tells, how the waiting ended. */
  readonly waiting: Set<(entered: boolean) => void>;
}

/**
 * At most so many requests of a key at once in this process, so that one tenant's slow requests leave connections and
 * memory to the others. Who finds all permits in use waits in line for a moment; where the line has no place left, or the
 * moment is over, the answer is no.
 */
export class Bulkhead {
  private readonly compartments = new Map<string, Compartment>();

  /** A permit, or undefined where there is none in time. */
  async enter(key: string, { permits, places }: Room, onWait: Wait = () => {}): Promise<Release | undefined> {
    const compartment = this.compartments.get(key) ?? { inUse: 0, waiting: new Set() };
    if (compartment.inUse < permits) {
      compartment.inUse += 1;
      permitsInUse.inc();
      this.compartments.set(key, compartment);
    } else if (compartment.waiting.size >= places || !(await this.waitInLine(compartment, onWait))) {
      return undefined;
    }
    return this.releaseOnce(key, compartment);
  }

  /** Whether a permit was handed over in time. */
  private async waitInLine({ waiting }: Compartment, onWait: Wait): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const giveUp = (): void => {
      if (waiting.delete(resolve)) resolve(false);
    };
    waiting.add(resolve);
    waitingForPermit.inc();
    const timer = setTimeout(giveUp, WAIT_MAX_MS);
    onWait(giveUp);
    const entered = await promise;
    clearTimeout(timer);
    waitingForPermit.dec();
    return entered;
  }

  private releaseOnce(key: string, compartment: Compartment): Release {
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.release(key, compartment);
    };
  }

  /** Hands the permit to the first in line, or takes it back. */
  private release(key: string, compartment: Compartment): void {
    const [next] = compartment.waiting;
    if (next) {
      compartment.waiting.delete(next);
      next(true);
      return;
    }
    compartment.inUse -= 1;
    permitsInUse.dec();
    if (compartment.inUse === 0) this.compartments.delete(key);
  }
}
