import { setTimeout as sleep } from 'node:timers/promises';
import { type Deadline, DeadlinePassed } from '@holdfast/kernel';
import { gauge } from '@holdfast/observability';
import {
  type Drill,
  DrillFailure,
  lateMs,
  NamedCalls,
  type PolicyState,
  settingsOf,
} from '@holdfast/resilience';
import {
  BrokenCircuitError,
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

  /** `load`: of the pool that it stands in front of. `look`: asks the server for an answer, to see whether it is back. */
  constructor(
    private readonly pool: string,
    private readonly load: () => PoolLoad,
    private readonly look: () => Promise<unknown>,
  ) {
    super('postgresql');
    const { failuresMax, openMs } = settingsOf('postgresql');
    this.breaker = circuitBreaker(handleWhen(isAway), {
      halfOpenAfter: openMs,
      breaker: new ConsecutiveBreaker(failuresMax || Infinity),
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
      circuitsOpen: isOpen || isTrying ? 1 : 0,
      atWork: used,
      waiting,
    };
  }

  /**
   * Does work that asks the server, or throws DatabaseUnavailable without asking. After an outage one looks first whether the server is back,
   * for no longer than its deadline, and none of the others waits for that: their work may take as long as it likes, and a look does not.
   */
  async run<T>(work: () => Promise<T>, deadline?: Deadline): Promise<T> {
    const drill = this.runningDrill;
    if (drill?.does === 'open') {
      this.counted('circuit_open');
      throw new DatabaseUnavailable(new DrillFailure('a drill keeps postgresql from being asked'));
    }
    try {
      if (this.breaker.state !== CircuitState.Closed) await this.lookFirst(drill, deadline);
      const answer = await this.breaker.execute(drill ? () => drilled(work, drill, deadline) : work);
      this.counted('ok');
      return answer;
    } catch (error) {
      this.counted(isBrokenCircuitError(error) ? 'circuit_open' : isAway(error) ? 'failed' : 'refused');
      throw isBrokenCircuitError(error) ? new DatabaseUnavailable(error) : error;
    }
  }

  private async lookFirst(drill: Drill | undefined, deadline: Deadline | undefined): Promise<void> {
    if (this.breaker.state === CircuitState.HalfOpen) throw new BrokenCircuitError();
    const { look } = this;
    const looked = this.breaker.execute(drill ? () => drilled(look, drill) : look);
    await (deadline?.within(looked) ?? looked);
  }
}

async function drilled<T>(work: () => Promise<T>, drill: Drill, deadline?: Deadline): Promise<T> {
  if (drill.does === 'fail') throw new DatabaseUnavailable(new DrillFailure('a drill lets postgresql fail'));
  const [delayMs, leftMs] = [lateMs(drill), deadline?.leftMs ?? Infinity];
  await sleep(Math.min(delayMs, leftMs));
  if (leftMs <= delayMs) throw new DeadlinePassed();
  return work();
}

function isAway(error: unknown): boolean {
  return isServerAway(error) || (error instanceof DatabaseUnavailable && error.cause instanceof DrillFailure);
}
