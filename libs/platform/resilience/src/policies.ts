import { POLICIES, type PolicyChanges, type PolicyName, type PolicySettings } from '@holdfast/config';

/** How a policy stands at this moment. */
export interface PolicyState {
  readonly name: PolicyName;
  /** Which of several of the name, where they have names of their own. */
  readonly part?: string;
  /** The worst of its circuits. */
  readonly circuit: 'closed' | 'half_open' | 'open';
  readonly circuitsOpen: number;
  readonly atWork: number;
  readonly waiting: number;
  /** Calls since the process began, by how they ended. */
  readonly calls: Readonly<Record<string, number>>;
  /** What a drill does to its calls. */
  readonly drill?: Drill['does'];
}

/** What is done to the calls of a dependency on purpose: nothing is sent, every attempt fails, or begins late. */
export interface Drill {
  readonly does: 'open' | 'fail' | 'slow';
  /** Of `slow`: before each attempt. */
  readonly delayMs: number;
  /** By the process's monotonic clock. */
  readonly untilMs: number;
}

/** How late a drill that makes slow has an attempt begin, in milliseconds: when the drill is over at the latest. */
export function lateMs({ delayMs, untilMs }: Drill): number {
  return Math.max(0, Math.min(delayMs, untilMs - performance.now()));
}

interface Registered {
  readonly name: PolicyName;
  readonly state: PolicyState;
  begin(drill: Drill): void;
}

const registered = new Set<Registered>();
let changes: PolicyChanges = {};

/** What a policy costs that something else bounds. */
const UNBOUND: PolicySettings = {
  ...{ deadlineMs: Infinity, attemptMs: Infinity, attemptsMax: 1, retriesMax: 0 },
  ...{ failuresMax: 0, openMs: 0, atOnceMax: Infinity, waitingMax: 0 },
};

/** Says what HOLDFAST_POLICIES changes; before the first policy is made, once in a process. */
export function configurePolicies(changed: PolicyChanges): void {
  changes = changed;
}

/** What the policy's calls may cost in this process. */
export function settingsOf(name: PolicyName): PolicySettings {
  return { ...UNBOUND, ...POLICIES[name], ...changes[name] };
}

export function register(policy: Registered): void {
  registered.add(policy);
}

export function unregister(policy: Registered): void {
  registered.delete(policy);
}

/** The policies that were made in this process. */
export function listPolicyStates(): readonly PolicyState[] {
  return [...registered].map(({ state }) => state);
}

/** A drill that was begun elsewhere. */
export interface HeardDrill extends Pick<Drill, 'does' | 'delayMs'> {
  /** One that this process does not have is drilled elsewhere. */
  readonly policy: string;
  /** From when it is heard of to its end. */
  readonly leftMs: number;
}

/**
 * What one source tells of drills, done to this process's calls. Each ends by the clock of the process, also where the source is away by
 * then.
 */
export class HeardDrills {
  private latest: readonly HeardDrill[] = [];

  /** Begins what is told, anew where it runs already, and ends what was told before and is not any more. */
  hear(drills: readonly HeardDrill[]): void {
    const now = performance.now();
    // One that was replaced by a shorter one may be over before it was heard of.
    for (const { policy } of this.latest) beginDrill(policy, { does: 'open', delayMs: 0, untilMs: now });
    for (const { policy, does, delayMs, leftMs } of drills)
      beginDrill(policy, { does, delayMs, untilMs: now + leftMs });
    this.latest = drills;
  }
}

/** Begins the drill in every policy of the name; answers how many those are in this process. */
export function beginDrill(name: string, drill: Drill): number {
  const drilled = [...registered].filter((policy) => policy.name === name);
  for (const policy of drilled) policy.begin(drill);
  return drilled.length;
}
