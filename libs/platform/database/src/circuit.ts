import { gauge } from '@holdfast/observability';
import {
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
  isBrokenCircuitError,
  type CircuitBreakerPolicy,
} from 'cockatiel';
import { DatabaseUnavailable, isServerAway } from './database-errors';

const circuitOpen = gauge({
  name: 'holdfast_database_circuit_open',
  help: 'Whether work is refused without asking PostgreSQL (1) or sent to it (0), by pool.',
  labels: ['pool'],
});

/** In a row, with no success between: a server that is there does not cut five connections and answer on none. */
const FAILURES_MAX = 5;
/** Then nobody is sent for this long, and one transaction tries whether the server is back. */
const OPEN_MS = 1_000;

/**
 * Refuses work at once while the server is away. Without it each request would wait for a connection that does not come, and all
 * requests of the process with it: as many as come in the seconds that a network takes to give up.
 */
export class Circuit {
  private readonly breaker: CircuitBreakerPolicy;

  constructor(pool: string) {
    this.breaker = circuitBreaker(handleWhen(isServerAway), {
      halfOpenAfter: OPEN_MS,
      breaker: new ConsecutiveBreaker(FAILURES_MAX),
    });
    circuitOpen.set({ pool }, 0);
    this.breaker.onStateChange(() => circuitOpen.set({ pool }, this.isOpen ? 1 : 0));
  }

  /** Does work that asks the server, or throws DatabaseUnavailable without asking. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.breaker.execute(work);
    } catch (error) {
      throw isBrokenCircuitError(error) ? new DatabaseUnavailable(error) : error;
    }
  }

  private get isOpen(): boolean {
    return this.breaker.state !== CircuitState.Closed;
  }
}
