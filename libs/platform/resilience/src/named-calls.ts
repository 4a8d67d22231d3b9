import type { PolicyName } from '@holdfast/config';
import { type Drill, type PolicyState, register, unregister } from './policies';

/** The calls of one dependency, which show under its name, and are drilled under it. */
export abstract class NamedCalls {
  private drill: Drill | undefined;
  private readonly calls: Record<string, number> = {};

  constructor(readonly name: PolicyName) {
    register(this);
  }

  /** How they stand. */
  abstract get state(): PolicyState;

  /** Does to every call what the drill says, until it is over. */
  begin(drill: Drill): void {
    this.drill = drill;
  }

  /** Shows them no more. */
  hide(): void {
    unregister(this);
  }

  protected get runningDrill(): Drill | undefined {
    return this.drill && performance.now() < this.drill.untilMs ? this.drill : undefined;
  }

  /** What a state says besides its circuit and its places. */
  protected get told(): Pick<PolicyState, 'name' | 'calls' | 'drill'> {
    const { name, calls, runningDrill } = this;
    return { name, calls: { ...calls }, ...(runningDrill && { drill: runningDrill.does }) };
  }

  /** Counts how a call has ended, and answers it. */
  protected counted(outcome: string): string {
    this.calls[outcome] = (this.calls[outcome] ?? 0) + 1;
    return outcome;
  }
}
