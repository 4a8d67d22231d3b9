import { createHash } from 'node:crypto';
import type { Deadline } from '@holdfast/kernel';
import type { EventType, TenantTx } from '@holdfast/tenancy';
import { z } from 'zod';

/** What a step is told: whose saga, what it began with, and what the steps before it have answered. */
export interface StepContext<Input = unknown, Results = Readonly<Record<string, unknown>>> {
  readonly sagaId: string;
  /** The tenant that began the saga. */
  readonly tenantId: string;
  readonly input: Input;
  /** What the steps before this one have answered, by their names. */
  readonly results: Results;
  /**
   * A UUID of this step of this saga, the same for every attempt and for the compensation: the id of what the step makes, and the
   * idempotency key of what it asks of others. A saga of another tenant may have the same, where a statement has begun it: outside, it is
   * bound to the tenant.
   */
  readonly key: string;
}

/** What a compensation is told besides: what the step had answered, unless nobody heard. */
export interface CompensationContext<Input, Results, Result> extends StepContext<Input, Results> {
  readonly result: Result | undefined;
  /** The code of why the saga turned back: of the refusal, of the failure, or that it was cancelled or late. */
  readonly reason: string | null;
}

/** What a step that leaves the process is told besides. */
export interface RemoteContext<Input, Results> extends StepContext<Input, Results> {
  /** Aborted when the time of the call is over. */
  readonly signal: AbortSignal;
  /** When that is: for whoever is called to be told. */
  readonly deadline: Deadline;
}

/** Limits of a step. */
export interface StepLimits {
  /** From when the step is due until it is given up and what was done before it is compensated. */
  readonly timeoutSeconds?: number;
  /**
   * Attempts that fail in a row before the same, 10; of a step that cannot be given up, as a pivot outside that was called cannot, before an
   * operator is asked for, `LASTING_ATTEMPTS_MAX`.
   */
  readonly attemptsMax?: number;
}

/** Of a step that cannot be given up, no time is over. */
interface Untimed {
  readonly timeoutSeconds?: never;
}

/**
 * A step in the database: one transaction with its effect, its record and its events. It refuses by throwing a DomainError; every other
 * error is tried again. Nothing of it may have an effect outside of the transaction.
 */
export interface LocalStep<Input, Results, Result> extends StepLimits {
  /** Whose transaction it is; absent: the tenant's that began the saga. */
  readonly tenant?: (input: Input) => string;
  /**
   * Whether it, and its compensation, may share a transaction with steps of other sagas of the tenant, each behind a savepoint: only where
   * it locks nothing but what is its saga's own, since the locks of all of them are held until the last is done.
   */
  readonly sharesTransaction?: boolean;
  /**
   * Whether whoever begins the saga may have done it already, in the same transaction: then it is compensated also where the saga turns back
   * before it.
   */
  readonly mayBeDoneBefore?: boolean;
  readonly run: (tx: TenantTx, ctx: StepContext<Input, Results>) => Promise<Result>;
}

/**
 * A step outside of the database, such as a request to a bank. It is called at least once under its key, and has to be in effect once
 * under it. It refuses by throwing a DomainError that is no outage, which says that the key has no effect and will have none.
 */
export interface RemoteStep<Input, Results, Result> extends StepLimits {
  readonly call: (ctx: RemoteContext<Input, Results>) => Promise<Result>;
  /** For how long one call is waited for, whether or not it heeds its signal, at most 30 s. */
  readonly callSeconds?: number;
}

/** A local step, and how it is compensated. */
export interface CompensatableStep<Input, Results, Result> extends LocalStep<Input, Results, Result> {
  /** Takes back what the step has done. It must not refuse: what it needs is kept, or was decided by the step. */
  readonly compensate: (
    tx: TenantTx,
    ctx: CompensationContext<Input, Results, Awaited<Result>>,
  ) => Promise<void>;
}

/** A remote step, and how it is compensated. */
export interface CompensatableCall<Input, Results, Result> extends RemoteStep<Input, Results, Result> {
  /**
   * Cancels what was called under the key, also where nobody knows whether the call has arrived: a call under the key that arrives later
   * must not take effect.
   */
  readonly cancel: (ctx: RemoteContext<Input, Results>) => Promise<void>;
}

/** An event that a saga waits for, of the tenant that began it. One that is in the log already is taken. */
export interface AwaitedEvent<Input, Results> {
  readonly event: EventType;
  readonly streamId: (ctx: StepContext<Input, Results>) => string;
  /** How long it is waited for. */
  readonly timeoutSeconds: number;
}

/** What a step is to its saga. */
export type StepKind = 'compensatable' | 'pivot' | 'retriable';

/** A step as the runner sees it. */
export interface SagaStep {
  readonly name: string;
  readonly kind: StepKind;
  readonly does: 'local' | 'remote' | 'wait_until' | 'wait_for';
  readonly timeoutSeconds: number | undefined;
  readonly attemptsMax: number;
  readonly callSeconds: number;
  readonly tenant: ((input: never) => string) | undefined;
  readonly sharesTransaction: boolean;
  readonly mayBeDoneBefore: boolean;
  readonly run: ((tx: TenantTx, ctx: never) => Promise<unknown>) | undefined;
  readonly compensate: ((tx: TenantTx, ctx: never) => Promise<void>) | undefined;
  readonly call: ((ctx: never) => Promise<unknown>) | undefined;
  readonly cancel: ((ctx: never) => Promise<void>) | undefined;
  readonly until: ((ctx: never) => Date) | undefined;
  readonly event: AwaitedEvent<never, never> | undefined;
}

/** A saga as it is defined: its steps in their order, and what it is begun with. */
export interface Saga<Input = never> {
  /** `<module>.<what>`: the module's name is the consumer whose grants its steps run under. */
  readonly name: string;
  /** Of its steps and their kinds, its revision and the shape of its input: a saga ends under the hash that it began under. */
  readonly hash: string;
  readonly consumer: string;
  readonly input: z.ZodType<Input>;
  readonly steps: readonly SagaStep[];
  /** The first place at which it goes on whatever happens: behind the pivot, or behind the last step that can be compensated. */
  readonly committedFrom: number;
  /** From its beginning until it is given up, as long as it can be. */
  readonly deadlineSeconds: number;
  /** What is kept of its input once it has ended; undefined: all of it. */
  readonly keeps: ((input: never) => unknown) | undefined;
}

interface SagaDeclaration<Input> {
  readonly name: string;
  readonly input: z.ZodType<Input>;
  /** How long it may take before it is given up, as long as it can be: a day where nothing is said. */
  readonly deadlineSeconds?: number;
  /** What is kept of the input once it has ended: what is personal in it is of no use to a step any more. All of it where nothing is said. */
  readonly keeps?: (input: Input) => Input;
  /** Counted up when steps of the same names do something else. The older definition is kept until none of its sagas is left. */
  readonly revision?: number;
}

type Named<Name extends string, Result> = { readonly [Key in Name]: Awaited<Result> };
/** A name that the steps before do not have. */
type Fresh<Name extends string, Results> = Name extends keyof Results ? never : Name;

/** Steps behind the pivot: each is tried until it is done. */
export interface RetriableSteps<Input, Results> {
  retriable<Name extends string, Result>(
    name: Fresh<Name, Results>,
    step: (LocalStep<Input, Results, Result> | RemoteStep<Input, Results, Result>) & Untimed,
  ): RetriableSteps<Input, Results & Named<Name, Result>>;
  /** Waits for an instant. */
  waitUntil<Name extends string>(
    name: Fresh<Name, Results>,
    until: (ctx: StepContext<Input, Results>) => Date,
  ): RetriableSteps<Input, Results & Named<Name, null>>;
  /** Waits for an event; answers its payload. */
  waitFor<Name extends string>(
    name: Fresh<Name, Results>,
    awaited: AwaitedEvent<Input, Results>,
  ): RetriableSteps<Input, Results & Named<Name, unknown>>;
  /** Makes the definition and registers it under its name and hash. */
  build(): Saga<Input>;
}

/** Steps before the pivot, in the order in which they are done. */
export interface CompensatableSteps<Input, Results> extends RetriableSteps<Input, Results> {
  compensatable<Name extends string, Result>(
    name: Fresh<Name, Results>,
    step: CompensatableStep<Input, Results, Result> | CompensatableCall<Input, Results, Result>,
  ): CompensatableSteps<Input, Results & Named<Name, Result>>;
  waitUntil<Name extends string>(
    name: Fresh<Name, Results>,
    until: (ctx: StepContext<Input, Results>) => Date,
  ): CompensatableSteps<Input, Results & Named<Name, null>>;
  waitFor<Name extends string>(
    name: Fresh<Name, Results>,
    awaited: AwaitedEvent<Input, Results>,
  ): CompensatableSteps<Input, Results & Named<Name, unknown>>;
  /** The step after which there is no way back. It is done in the tenant that began the saga, or outside. */
  pivot<Name extends string, Result>(
    name: Fresh<Name, Results>,
    step: Omit<LocalStep<Input, Results, Result>, 'tenant'> | RemoteStep<Input, Results, Result>,
  ): RetriableSteps<Input, Results & Named<Name, Result>>;
}

const DAY_SECONDS = 86_400;
/** Attempts of a step that may be given up: with `retrySeconds` between they take one to two minutes. */
export const ATTEMPTS_MAX = 10;
/** Of a step that has to be done, and of a compensation: they outlast an outage of more than an hour, then a person is asked. */
export const LASTING_ATTEMPTS_MAX = 80;
/** For how long a call is waited for unless the step says something else. */
const CALL_SECONDS = 10;
/** A lease outlasts every call. */
const CALL_SECONDS_MAX = 30;
const STEPS_MAX = 50;
const NAME = /^[a-z][a-z0-9_]*$/;
const SAGA_NAME = /^[a-z][a-z0-9]{0,49}\.[a-z][a-z0-9_]{0,48}$/;

const registered = new Map<string, Saga>();

/**
 * Defines a saga, once, in a module's `*.saga.ts`: steps that can be compensated, then at most one pivot, then steps that are tried until
 * they are done. Another order does not compile.
 */
export function saga<Input>(declaration: SagaDeclaration<Input>): CompensatableSteps<Input, unknown> {
  if (!SAGA_NAME.test(declaration.name))
    throw new Error(`${declaration.name} is not of the form module.saga`);
  return new SagaBuilder(declaration, []);
}

/** The saga of a name and hash, if this process knows it. */
export function findSaga(name: string, hash: string): Saga | undefined {
  return registered.get(`${name} ${hash}`);
}

/** Every definition that this process knows. */
export function listSagas(): readonly Saga[] {
  return [...registered.values()];
}

type AnyStep = StepLimits & {
  readonly [Member in keyof CompensatableStep<never, never, never>]?: unknown;
} & { readonly [Member in keyof CompensatableCall<never, never, never>]?: unknown };

class SagaBuilder<Input> {
  constructor(
    private readonly declaration: SagaDeclaration<Input>,
    private readonly steps: readonly SagaStep[],
  ) {}

  compensatable(name: string, step: AnyStep): never {
    return this.with(workOf(name, 'compensatable', step));
  }

  pivot(name: string, step: AnyStep): never {
    // One that was called is never given up.
    return this.with(
      workOf(name, 'pivot', step.call ? { attemptsMax: LASTING_ATTEMPTS_MAX, ...step } : step),
    );
  }

  retriable(name: string, step: AnyStep): never {
    return this.with(workOf(name, 'retriable', step));
  }

  waitUntil(name: string, until: (ctx: never) => Date): never {
    return this.with({ ...emptyStep(name, this.kindOfWait), does: 'wait_until', until });
  }

  waitFor(name: string, event: AwaitedEvent<never, never>): never {
    const { timeoutSeconds } = event;
    return this.with({ ...emptyStep(name, this.kindOfWait), does: 'wait_for', event, timeoutSeconds });
  }

  build(): Saga<Input> {
    const { name, input, keeps, deadlineSeconds = DAY_SECONDS } = this.declaration;
    const { steps } = this;
    if (steps.length === 0 || steps.length > STEPS_MAX)
      throw new Error(`${name} has ${steps.length} steps: a saga has 1 to ${STEPS_MAX}`);
    const lastCompensatable = steps.findLastIndex(({ kind }) => kind !== 'retriable');
    const built: Saga<Input> = {
      ...{ name, input, keeps, steps, deadlineSeconds },
      hash: hashOf(this.declaration, steps),
      consumer: name.slice(0, name.indexOf('.')),
      committedFrom: lastCompensatable + 1,
    };
    const key = `${name} ${built.hash}`;
    if (registered.has(key)) throw new Error(`${name} is defined twice in the same way`);
    registered.set(key, built as unknown as Saga);
    return built;
  }

  /** A wait is compensated by nothing. */
  private get kindOfWait(): StepKind {
    const last = this.steps.at(-1)?.kind ?? 'compensatable';
    return last === 'compensatable' ? last : 'retriable';
  }

  private with(step: SagaStep): never {
    if (!NAME.test(step.name)) throw new Error(`${step.name} is no name of a step`);
    if (this.steps.some(({ name }) => name === step.name))
      throw new Error(`two steps are called ${step.name}`);
    if (step.callSeconds > CALL_SECONDS_MAX)
      throw new Error(`${step.name} waits longer than ${CALL_SECONDS_MAX} s for a call`);
    return new SagaBuilder(this.declaration, [...this.steps, step]) as never;
  }
}

function emptyStep(name: string, kind: StepKind): SagaStep {
  const attemptsMax = kind === 'retriable' ? LASTING_ATTEMPTS_MAX : ATTEMPTS_MAX;
  return {
    ...{ name, kind, attemptsMax, does: 'local', timeoutSeconds: undefined, callSeconds: CALL_SECONDS },
    ...{ tenant: undefined, run: undefined, compensate: undefined, call: undefined, cancel: undefined },
    ...{ until: undefined, event: undefined, sharesTransaction: false, mayBeDoneBefore: false },
  };
}

function workOf(name: string, kind: StepKind, step: AnyStep): SagaStep {
  const given = Object.fromEntries(Object.entries(step).filter(([, value]) => value !== undefined));
  return { ...emptyStep(name, kind), ...given, does: step.call ? 'remote' : 'local' };
}

/** What has to be the same for a saga that is under way to go on: the text of functions is not, since each build writes another. */
function hashOf<Input>({ input, revision = 1 }: SagaDeclaration<Input>, steps: readonly SagaStep[]): string {
  const shape = steps.map(({ name, kind, does, tenant }) => [name, kind, does, tenant !== undefined]);
  const text = JSON.stringify([
    revision,
    shape,
    z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' }),
  ]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
