import { setTimeout as sleep } from 'node:timers/promises';
import type { PolicyName, PolicySettings } from '@holdfast/config';
import { Deadline, fullJitterMs, takeTokens } from '@holdfast/kernel';
import {
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  DelegateBackoff,
  handleWhen,
  type IHalfOpenAfterBackoffContext,
  isBrokenCircuitError,
  isTaskCancelledError,
  retry,
  type RetryPolicy,
  timeout,
  TimeoutStrategy,
} from 'cockatiel';
import { LRUCache } from 'lru-cache';
import { NamedCalls } from './named-calls';
import { Places } from './places';
import { lateMs, type PolicyState, settingsOf } from './policies';
import { DependencyAway, DrillFailure } from './policy.errors';
import { callSeconds, retriesTotal } from './policy-metrics';

/** What a policy is made with. */
export interface PolicyOptions {
  /**
   * Whether the error says that the dependency is unwell: it counts towards opening the circuit, and is tried again. One that does not is an
   * answer. Every error where nothing is said.
   */
  readonly isFailure?: (error: unknown) => boolean;
  /** In place of what is configured: of a client whose callers know better, and of tests. */
  readonly settings?: Partial<PolicySettings>;
}

/** What one call says of itself. */
export interface Call {
  /** Ends the call; the dependency is not to blame then. */
  readonly signal?: AbortSignal | undefined;
  /** Of the work that the call belongs to. */
  readonly deadline?: Deadline | undefined;
  /** Which of several hosts is called: each has a circuit of its own. */
  readonly host?: string | undefined;
}

/** Hosts whose circuits are remembered, and for how long behind the last call: what nobody asks any more is not away. */
const HOSTS_MAX = 1_000;
const FORGOTTEN_MS = 300_000;
const RETRY_MS = 100;
const RETRY_MAX_MS = 2_000;
/** Of the retries that may come at once, a tenth flows in again each second. */
const RETRIES_REFILL = 10;

/** Is given what ends it, and when that will be. */
type Work<T> = (signal: AbortSignal, deadline: Deadline) => Promise<T>;

/** What bounds a call with all its attempts. */
interface Bounds {
  readonly signal: AbortSignal;
  readonly deadline: Deadline;
}

/**
 * How one outside dependency is called: within a deadline, with retries out of a budget, behind a circuit breaker for each host, and in a
 * bulkhead. It is made once for a dependency in a process, and shows in metrics, in `/readyz?verbose` and in drills under its name.
 */
export class Policy extends NamedCalls {
  private readonly settings: PolicySettings;
  private readonly places: Places;
  private readonly retries: RetryPolicy;
  private readonly circuits = new LRUCache<string, CircuitBreakerPolicy>({
    ...{ max: HOSTS_MAX, ttl: FORGOTTEN_MS, updateAgeOnGet: true },
  });
  private readonly isFailure: (error: unknown) => boolean;
  private retriesFullAtMs = 0;
  /** Failures behind which no attempt may follow: they cost nothing of the budget. */
  private readonly last = new WeakSet<object>();

  constructor(name: PolicyName, { isFailure = () => true, settings = {} }: PolicyOptions = {}) {
    super(name);
    this.settings = { ...settingsOf(name), ...settings };
    this.isFailure = (error) =>
      error instanceof DependencyAway
        ? error.reason === 'timeout'
        : error instanceof DrillFailure || isFailure(error);
    this.places = new Places(name, this.settings);
    this.retries = retry(
      handleWhen((error) => this.mayRetry(error)),
      {
        maxAttempts: this.settings.attemptsMax - 1,
        backoff: new DelegateBackoff(({ attempt }) => fullJitterMs(attempt, RETRY_MS, RETRY_MAX_MS)),
      },
    );
    this.retries.onRetry(() => retriesTotal.inc({ policy: name, outcome: 'made' }));
  }

  /** How it stands. */
  get state(): PolicyState {
    const { atWork, waiting } = this.places;
    const circuits = [...this.circuits.values()].map(({ state }) => state);
    const isDrilled = this.runningDrill?.does === 'open';
    const isOpen = isDrilled || circuits.includes(CircuitState.Open);
    const circuitsOpen = circuits.filter((state) => state !== CircuitState.Closed).length;
    return {
      ...this.told,
      circuit: isOpen ? 'open' : circuitsOpen > 0 ? 'half_open' : 'closed',
      circuitsOpen: isDrilled ? Math.max(circuitsOpen, 1) : circuitsOpen,
      atWork,
      waiting,
    };
  }

  /** Whether nothing is sent at this moment. */
  get isOpen(): boolean {
    return this.state.circuit === 'open';
  }

  /**
   * What the work answers. It is given a signal that ends with the attempt, and may be begun several times where the policy has attempts.
   * Throws what the work throws, and DependencyAway.
   */
  async run<T>(work: Work<T>, call: Call = {}): Promise<T> {
    const stop = callSeconds.startTimer({ policy: this.name });
    try {
      const answer = await this.inTime(work, call);
      stop({ outcome: this.counted('ok') });
      return answer;
    } catch (error) {
      const named = this.named(error, call);
      const outcome =
        named instanceof DependencyAway ? named.reason : this.isFailure(named) ? 'failed' : 'refused';
      stop({ outcome: this.counted(outcome) });
      throw named;
    }
  }

  /**
   * The same for a request over HTTP, which follows no redirect, and says in `X-Request-Timeout-Ms` how long its answer is waited for. What
   * `read` leaves of the answer is not read.
   */
  fetch<T>(
    url: string | URL,
    init: Omit<RequestInit, 'signal' | 'redirect'>,
    read: (response: Response) => Promise<T>,
    call?: Call,
  ): Promise<T> {
    return this.run(async (signal, { leftMs }) => {
      const headers = new Headers(init.headers);
      headers.set('x-request-timeout-ms', String(Math.ceil(leftMs)));
      const response = await fetch(url, { ...init, headers, redirect: 'error', signal });
      try {
        return await read(response);
      } finally {
        if (response.body && !response.bodyUsed) await response.body.cancel();
      }
    }, call);
  }

  private async inTime<T>(work: Work<T>, call: Call): Promise<T> {
    const leftMs = Math.min(this.settings.deadlineMs, call.deadline?.leftMs ?? Infinity);
    if (leftMs <= 0 || call.signal?.aborted) throw new DependencyAway(this.name, 'given_up');
    // A timer may come a moment early: the deadline has passed then for whoever looks why it ended.
    const whole = timeout(Math.ceil(leftMs) + 1, TimeoutStrategy.Aggressive);
    const deadline = Deadline.in(leftMs);
    return whole.execute(
      ({ signal }) =>
        this.places.run(
          () =>
            this.retries.execute(
              ({ attempt }) =>
                this.attempt(work, call, { signal, deadline }).catch(this.noting(attempt, signal)),
              signal,
            ),
          signal,
        ),
      call.signal,
    );
  }

  private noting(attempt: number, signal: AbortSignal): (error: unknown) => never {
    return (error) => {
      const isLast = attempt >= this.settings.attemptsMax - 1 || signal.aborted;
      if (isLast && error instanceof Error) this.last.add(error);
      throw error;
    };
  }

  private async attempt<T>(work: Work<T>, call: Call, { signal, deadline }: Bounds): Promise<T> {
    // Who waited for another attempt until nobody waits for the answer any more has none.
    if (signal.aborted) throw new DependencyAway(this.name, 'given_up');
    const circuit = this.circuitOf(call.host ?? '');
    // While one attempt tries whether it is back, nobody waits for that.
    if (this.runningDrill?.does === 'open' || circuit?.state === CircuitState.HalfOpen)
      throw new DependencyAway(this.name, 'circuit_open');
    const { attemptMs } = this.settings;
    const one = timeout(attemptMs, TimeoutStrategy.Aggressive);
    const attempt = Deadline.in(Math.min(attemptMs, deadline.leftMs));
    const send = (): Promise<T> =>
      one.execute((ended) => this.send(() => work(ended.signal, attempt), ended.signal), signal);
    const told = (): Promise<T> =>
      send().catch((error: unknown) => {
        throw isTaskCancelledError(error) ? this.named(error, call) : error;
      });
    if (!circuit) return told();
    const answer = await circuit.execute(
      () =>
        told().then(
          (value) => ({ value }),
          (error: unknown) => this.refusalOf(error),
        ),
      signal,
    );
    if ('refusal' in answer) throw answer.refusal;
    return answer.value;
  }

  /** A no is an answer as well: failures behind it are not in a row with those before. */
  private refusalOf(error: unknown): { readonly refusal: unknown } {
    if (this.isFailure(error) || isGivenUp(error)) throw error;
    return { refusal: error };
  }

  private async send<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const drill = this.runningDrill;
    if (drill?.does === 'fail') throw new DrillFailure(`a drill lets ${this.name} fail`);
    if (drill?.does === 'slow') await sleep(lateMs(drill), undefined, { signal });
    return work();
  }

  private circuitOf(host: string): CircuitBreakerPolicy | undefined {
    const { failuresMax, openMs } = this.settings;
    if (failuresMax === 0) return undefined;
    const known = this.circuits.get(host);
    if (known) return known;
    // An attempt that its caller gave up says nothing: where it was to try whether the host is back, the next one tries, at once.
    const circuit: CircuitBreakerPolicy = circuitBreaker(
      handleWhen(
        (error) => this.isFailure(error) || (circuit.state === CircuitState.HalfOpen && isGivenUp(error)),
      ),
      {
        breaker: new ConsecutiveBreaker(failuresMax),
        halfOpenAfter: new DelegateBackoff(({ result }: IHalfOpenAfterBackoffContext) =>
          'error' in result && isGivenUp(result.error) ? 0 : openMs,
        ),
      },
    );
    this.circuits.set(host, circuit);
    return circuit;
  }

  /** Whether what failed is tried again as far as the budget goes, so that retries do not become most of what a sick dependency gets. */
  private mayRetry(error: unknown): boolean {
    const { attemptsMax, retriesMax } = this.settings;
    if (attemptsMax === 1 || isBrokenCircuitError(error) || !this.isFailure(error)) return false;
    if (error instanceof Error && this.last.has(error)) return false;
    const shape = { size: Math.max(retriesMax, 1), perSecond: Math.max(retriesMax, 1) / RETRIES_REFILL };
    const taking = takeTokens(
      shape,
      this.retriesFullAtMs,
      performance.now(),
      retriesMax === 0 ? Infinity : 1,
    );
    this.retriesFullAtMs = taking.fullAtMs;
    if (!taking.isAdmitted) retriesTotal.inc({ policy: this.name, outcome: 'withheld' });
    return taking.isAdmitted;
  }

  /** Errors of the library as ours. The caller's own time is told from the dependency's. */
  private named(error: unknown, { signal, deadline }: Call): unknown {
    if (isBrokenCircuitError(error)) return new DependencyAway(this.name, 'circuit_open');
    const isCallers = signal?.aborted === true || deadline?.leftMs === 0;
    if (isCallers && !(error instanceof DependencyAway)) return new DependencyAway(this.name, 'given_up');
    return isTaskCancelledError(error) ? new DependencyAway(this.name, 'timeout') : error;
  }
}

function isGivenUp(error: unknown): boolean {
  return error instanceof DependencyAway && error.reason === 'given_up';
}
