import { z } from 'zod';
import { variable, wholeNumber } from './variable';

/** What one outside dependency is allowed to cost. */
export interface PolicySettings {
  /** Of a call with all its attempts and waits, in milliseconds. A caller who has less time left gets less. */
  readonly deadlineMs: number;
  /** Of one attempt, in milliseconds. */
  readonly attemptMs: number;
  /** Attempts of one call, the first one included: more than one only where a second does no harm. */
  readonly attemptsMax: number;
  /** Retries of all calls together: as many may come at once, and a tenth of them a second. */
  readonly retriesMax: number;
  /** Attempts that fail in a row until nothing is sent for a while; 0 where something else decides on that. */
  readonly failuresMax: number;
  /** For how long nothing is sent then, in milliseconds; after that one attempt shows whether it is back. */
  readonly openMs: number;
  /** Calls at work at a time in a process. */
  readonly atOnceMax: number;
  /** Calls that wait for one of them to end; who comes then is refused. */
  readonly waitingMax: number;
}

const never = { attemptsMax: 1, retriesMax: 0 };

/**
 * Every outside dependency that is called under a policy, and what it is allowed to cost unless HOLDFAST_POLICIES says otherwise. What is not
 * said is none of the policy's.
 */
export const POLICIES = {
  // People wait for reads. A store that is restarted is back within seconds, and one read finds that out.
  clickhouse_reads: {
    ...{ deadlineMs: 5_000, attemptMs: 5_000, failuresMax: 5, openMs: 2_000, atOnceMax: 20, waitingMax: 100 },
    ...never,
  },
  // Inserts of events, roll-ups, erasures and migrations: each comes again by itself. Clients say how long theirs may take.
  clickhouse_statements: {
    ...{
      deadlineMs: 30_000,
      attemptMs: 30_000,
      failuresMax: 0,
      openMs: 1_000,
      atOnceMax: 16,
      waitingMax: 64,
    },
    ...never,
  },
  // Batches of telemetry: what fails is tried again by the lane, or goes to the disk.
  telemetry_batches: {
    ...{ deadlineMs: 15_000, attemptMs: 15_000, failuresMax: 5, openMs: 2_000, atOnceMax: 4, waitingMax: 16 },
    ...never,
  },
  // An issuer's requests are refused meanwhile, so one failure is enough to leave it alone, and not for long.
  oidc: {
    ...{ deadlineMs: 3_000, attemptMs: 3_000, failuresMax: 1, openMs: 10_000, atOnceMax: 16, waitingMax: 64 },
    ...never,
  },
  // A witness answers from memory; what takes longer is away, and is asked at a later checkpoint.
  witnesses: {
    ...{
      deadlineMs: 6_000,
      attemptMs: 6_000,
      failuresMax: 5,
      openMs: 30_000,
      atOnceMax: 32,
      waitingMax: 1_000,
    },
    ...never,
  },
  // Ingest asks the API every 5 s, and goes by the last list as long as it has to.
  key_list: {
    ...{ deadlineMs: 10_000, attemptMs: 10_000, failuresMax: 0, openMs: 1_000, atOnceMax: 1, waitingMax: 1 },
    ...never,
  },
  // Buckets of limits, several times in each request: Redis answers in less than a millisecond, and who does not get its answer counts by
  // itself. One failure is enough to leave it alone.
  redis_limits: { deadlineMs: 50, failuresMax: 1, openMs: 1_000, atOnceMax: 5_000 },
  // Wake-ups: those that are lost are found by a sweep two seconds later, so that there is nothing to shut off.
  queues: { deadlineMs: 1_000, failuresMax: 0, openMs: 1_000, atOnceMax: 64 },
  // Each pool has a circuit; its places, times and retries are its own. A server that is there does not cut five connections and answer on
  // none.
  postgresql: { failuresMax: 5, openMs: 1_000 },
  // What members do: who sends has attempts and waits of its own, over half a minute.
  activity: {
    ...{ deadlineMs: 5_000, attemptMs: 5_000, failuresMax: 0, openMs: 1_000, atOnceMax: 4, waitingMax: 16 },
    ...never,
  },
  // Under the 8 s that a delivery has: what is given up ends its connections. Deliveries wait and come again by themselves.
  kafka: {
    ...{ deadlineMs: 7_000, attemptMs: 7_000, failuresMax: 0, openMs: 1_000, atOnceMax: 8, waitingMax: 32 },
    ...never,
  },
  // Above the 15 s that an attempt takes at most. Retries, shares and pauses are rows of the database, the same for all processes;
  // a sender has 512 under way at most.
  webhooks: {
    ...{
      deadlineMs: 16_000,
      attemptMs: 16_000,
      failuresMax: 0,
      openMs: 1_000,
      atOnceMax: 520,
      waitingMax: 520,
    },
    ...never,
  },
  // Under the time of a saga's step, 10 s. Two retries ride out a lost connection; longer outages are the saga's to wait for.
  partner_bank: {
    ...{ deadlineMs: 8_000, attemptMs: 3_000, attemptsMax: 3, retriesMax: 20 },
    ...{ failuresMax: 5, openMs: 5_000, atOnceMax: 16, waitingMax: 64 },
  },
} as const satisfies Readonly<Record<string, Partial<PolicySettings>>>;

/** The name of a policy, as metrics, health and drills show it. */
export type PolicyName = keyof typeof POLICIES;

/** What HOLDFAST_POLICIES changes. */
export type PolicyChanges = Readonly<Partial<Record<PolicyName, Partial<PolicySettings>>>>;

const CHANGE = /^(?<policy>[a-z_]+)\.(?<setting>[a-zA-Z]+)=(?<value>\d{1,7})$/;

const listed = (text: string): readonly string[] =>
  text
    .split(',')
    .map((change) => change.trim())
    .filter(Boolean);

export const policies = variable(
  z
    .string()
    .default('')
    .transform(listed)
    .refine((changes) => changes.every(isChange), {
      error: 'has to be a list of policy.setting=number, of policies and settings that there are',
    })
    .transform(changesOf),
  {
    env: 'HOLDFAST_POLICIES',
    meaning:
      'What calls of outside dependencies may cost, where that is another than built in, as `partner_bank.deadlineMs=5000,clickhouse_reads.atOnceMax=40`. Policies and settings are in the README of `resilience`.',
    whenEmpty: 'The policies that are built in.',
  },
);

function isChange(text: string): boolean {
  const { policy = '', setting = '', value = '' } = CHANGE.exec(text)?.groups ?? {};
  if (!isPolicy(policy) || !Object.hasOwn(POLICIES[policy], setting)) return false;
  return Number(value) > 0 || ['failuresMax', 'retriesMax', 'waitingMax'].includes(setting);
}

function isPolicy(name: string): name is PolicyName {
  return Object.hasOwn(POLICIES, name);
}

function changesOf(changes: readonly string[]): PolicyChanges {
  const changed: Record<string, Record<string, number>> = {};
  for (const change of changes) {
    const { policy = '', setting = '', value = '' } = CHANGE.exec(change)?.groups ?? {};
    (changed[policy] ??= {})[setting] = Number(value);
  }
  return changed;
}

export const answerTimeoutMs = variable(wholeNumber(100, 10_000, 10_000), {
  env: 'HOLDFAST_ANSWER_TIMEOUT_MS',
  meaning:
    'How long a request may take until its answer: statements and calls get what is left of it, and nothing is begun behind it (503 `request.deadline_passed`). A client may ask for less with `X-Request-Timeout-Ms`. Streams have none.',
  unit: 'ms',
  whenEmpty: '10000: less than load balancers wait.',
});
