import { setTimeout as sleep } from 'node:timers/promises';
import type { PolicyName, PolicySettings } from '@holdfast/config';
import { NamedCalls } from './named-calls';
import { lateMs, type PolicyState, settingsOf } from './policies';
import { DependencyAway, DrillFailure } from './policy.errors';
import { callSeconds } from './policy-metrics';

/** What a quick policy is made with. */
export interface QuickPolicyOptions {
  /** Whether there is a connection: without one nothing is sent. */
  readonly isConnected?: () => boolean;
  /** In place of what is configured; of tests. */
  readonly settings?: Partial<PolicySettings>;
}

/**
 * How a dependency is called that is worth asking only while it is quick, as often as there are requests: within a deadline, in a bulkhead
 * without a line, and behind a circuit that lets one call try at a time, for which none of the others waits. It has one attempt, and shows
 * and is drilled as a Policy is.
 */
export class QuickPolicy extends NamedCalls {
  private readonly settings: PolicySettings;
  private readonly isConnected: () => boolean;
  private openUntilMs = 0;
  private failures = 0;
  private atWork = 0;

  constructor(name: PolicyName, { isConnected = () => true, settings = {} }: QuickPolicyOptions = {}) {
    super(name);
    this.settings = { ...settingsOf(name), ...settings };
    this.isConnected = isConnected;
  }

  /** How it stands. */
  get state(): PolicyState {
    const { isOpen, atWork } = this;
    const circuit = isOpen ? 'open' : this.isFailing ? 'half_open' : 'closed';
    return { ...this.told, circuit, circuitsOpen: isOpen ? 1 : 0, atWork, waiting: 0 };
  }

  /** Whether nothing is sent at this moment. */
  get isOpen(): boolean {
    return performance.now() < this.openUntilMs || this.runningDrill?.does === 'open' || !this.isConnected();
  }

  /** What the work answers. Throws what the work throws, which counts as a failure, and DependencyAway. What it does late is not heard. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const stop = callSeconds.startTimer({ policy: this.name });
    try {
      const answer = await this.admitted(work);
      stop({ outcome: this.counted('ok') });
      return answer;
    } catch (error) {
      stop({ outcome: this.counted(error instanceof DependencyAway ? error.reason : 'failed') });
      throw error;
    }
  }

  private async admitted<T>(work: () => Promise<T>): Promise<T> {
    if (this.isOpen) throw new DependencyAway(this.name, 'circuit_open');
    if (this.atWork >= this.settings.atOnceMax) throw new DependencyAway(this.name, 'bulkhead_full');
    // While it fails, this one tries alone.
    if (this.isFailing) this.openUntilMs = performance.now() + this.settings.openMs;
    this.atWork += 1;
    try {
      const answer = await this.inTime(work);
      this.failures = this.openUntilMs = 0;
      return answer;
    } catch (error) {
      this.failures += 1;
      if (this.isFailing) this.openUntilMs = performance.now() + this.settings.openMs;
      throw error;
    } finally {
      this.atWork -= 1;
    }
  }

  private async inTime<T>(work: () => Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const { deadlineMs } = this.settings;
    const timer = setTimeout(() => reject(new DependencyAway(this.name, 'timeout')), deadlineMs);
    try {
      return await Promise.race([this.sent(work, deadlineMs), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async sent<T>(work: () => Promise<T>, deadlineMs: number): Promise<T> {
    const drill = this.runningDrill;
    if (drill?.does === 'fail') throw new DrillFailure(`a drill lets ${this.name} fail`);
    if (drill?.does === 'slow') {
      const delayMs = lateMs(drill);
      await sleep(Math.min(delayMs, deadlineMs));
      if (delayMs >= deadlineMs) throw new DependencyAway(this.name, 'timeout');
    }
    return work();
  }

  private get isFailing(): boolean {
    const { failuresMax } = this.settings;
    return failuresMax > 0 && this.failures >= failuresMax;
  }
}
