import { setTimeout as sleep } from 'node:timers/promises';
import { gauge } from '@holdfast/observability';
import { type Drill, DrillFailure, NamedCalls, type PolicyState, settingsOf } from '@holdfast/resilience';
import {
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
  isBrokenCircuitError,
  type CircuitBreakerPolicy,
} from 'cockatiel';
import { DatabaseUnavailable, isServerAway } from './database-errors';
import type { PoolLoad } from './pool-load';

const circuitOpen = gauge({
  name: 'holdfast_database_circuit_open',
  help: 'Whether work is refused without asking PostgreSQL (1) or sent to it (0), by pool.',
  labels: ['pool'],
});

/**
 * Refuses work at once while the server is away. Without it each request would wait for a connection that does not come, and all
 * requests of the process with it: as many as come in the seconds that a network takes to give up. Shows as the policy `postgresql`.
 */
export class Circuit extends NamedCalls {
  private readonly breaker: CircuitBreakerPolicy;

  /** `load`: of the pool that it stands in front of. */
  constructor(
    private readonly pool: string,
    private readonly load: () => PoolLoad,
  ) {
    super('postgresql');
    const { failuresMax, openMs } = settingsOf('postgresql');
    this.breaker = circuitBreaker(handleWhen(isAway), {
      halfOpenAfter: openMs,
      breaker: new ConsecutiveBreaker(failuresMax),
    });
    circuitOpen.set({ pool }, 0);
    this.breaker.onStateChange((state) => circuitOpen.set({ pool }, state === CircuitState.Closed ? 0 : 1));
  }

  /** How it stands: at work are connections in use. */
  get state(): PolicyState {
    const { used, waiting } = this.load();
    const isOpen = this.runningDrill?.does === 'open' || this.breaker.state === CircuitState.Open;
    const isTrying = this.breaker.state === CircuitState.HalfOpen;
    return {
      ...this.told,
      part: this.pool,
      circuit: isOpen ? 'open' : isTrying ? 'half_open' : 'closed',
      circuitsOpen: isOpen ? 1 : 0,
      atWork: used,
      waiting,
    };
  }

  /** Does work that asks the server, or throws DatabaseUnavailable without asking. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const drill = this.runningDrill;
    if (drill?.does === 'open') {
      this.counted('circuit_open');
      throw new DatabaseUnavailable(new DrillFailure('a drill keeps postgresql from being asked'));
    }
    try {
      const answer = await this.breaker.execute(drill ? () => this.drilled(work, drill) : work);
      this.counted('ok');
      return answer;
    } catch (error) {
      this.counted(isBrokenCircuitError(error) ? 'circuit_open' : isAway(error) ? 'failed' : 'refused');
      throw isBrokenCircuitError(error) ? new DatabaseUnavailable(error) : error;
    }
  }

  private async drilled<T>(work: () => Promise<T>, { does, delayMs }: Drill): Promise<T> {
    if (does === 'fail') throw new DatabaseUnavailable(new DrillFailure('a drill lets postgresql fail'));
    await sleep(delayMs);
    return work();
  }
}

function isAway(error: unknown): boolean {
  return isServerAway(error) || (error instanceof DatabaseUnavailable && error.cause instanceof DrillFailure);
}
