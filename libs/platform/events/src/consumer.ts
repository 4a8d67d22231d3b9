import type { Deadline } from '@holdfast/kernel';
import type { TenantTx } from '@holdfast/tenancy';
import type { RecordedEvent } from './recorded-event';

/** What stays in order, and what is parked when an event in it cannot be delivered. */
export type ConsumerKey = 'stream' | 'tenant' | ((event: RecordedEvent) => string);

/** How often, and after which waits, what failed is tried again: full jitter from `baseMs`, doubled up to `capMs`. */
export interface Retry {
  readonly attemptsMax: number;
  readonly baseMs: number;
  readonly capMs: number;
}

/** A consumer group as its class declares it. */
export interface ConsumerDeclaration {
  /** Names the cursor, the queue `wake.<group>` and the actor `system:<group>`: lower case, digits, dots and dashes. */
  readonly group: string;
  /** Where the effect is: in the tenant's own database, or in a store outside that takes the events of all tenants. */
  readonly kind: 'tenant' | 'store';
  /** Types of events, or prefixes of them (`ledger.*`). The cursor passes over all others. */
  readonly events: 'all' | readonly string[];
  /** Its writers hold a lock on it from before they append until they commit; the module's README says which. */
  readonly key: ConsumerKey;
  readonly retry: Retry;
  /** Where the group begins when it is registered for the first time. */
  readonly from: 'beginning' | 'now';
  /**
   * Whether what was done can be done again: `idempotent` from anywhere; `reset` from the beginning, after `reset(tx)` has
   * undone it all in the same transaction; `never`.
   */
  readonly replay: 'idempotent' | 'reset' | 'never';
}

/** A consumer whose effect is in the tenant's own database: a projection, a webhook's queue, a saga's trigger. */
export interface TenantConsumer {
  /**
   * Takes effect through `tx`, in which the cursor moves as well: so once, however often it is called. Events come in
   * the order of the tenant's log, but for those of a key that is parked, and in the latest versions of their types
   * (`upcast`). Throwing undoes the page; it is delivered again
   * key by key, and a key that fails alone is parked. What it began has ended when it settles.
   */
  deliver(tx: TenantTx, events: readonly RecordedEvent[]): Promise<void>;
  /** Undoes all that `deliver` has ever done for the tenant. */
  reset?(tx: TenantTx): Promise<void>;
}

/** A consumer outside PostgreSQL that takes the events of all tenants: ClickHouse, Kafka. */
export interface StoreConsumer {
  /** Events in one batch at most. */
  readonly batchMax: number;
  /** At least this long between two batches, in milliseconds; stores like few and large ones. Absent: 50. */
  readonly paceMs?: number;
  /**
   * Stores the batch. The same events come under the same token if it is not known whether they arrived, and never in
   * other company: a store that drops tokens it has seen stores every event once. Is given up at the deadline, which calls are to be given,
   * so that none goes on beside the batch that comes again.
   *
   * Throws BatchRefused if the store has said that it did not take the batch; then smaller ones come, under other tokens.
   *
   * `confirm` resolves while this process holds the group's cursor, and throws once another may. A store that can refuse
   * earlier senders does that first and asks then: whoever passes both is the only one that sends.
   */
  deliver(
    events: readonly RecordedEvent[],
    token: string,
    confirm: () => Promise<void>,
    deadline: Deadline,
  ): Promise<void>;
}

/** Eight tries over about a minute: what a restart or a failover breaks is mended by then. */
const RETRY: Retry = { attemptsMax: 8, baseMs: 500, capMs: 60_000 };
const GROUP = /^[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*$/;
const GROUP_LENGTH_MAX = 40;
const EVENTS = /^[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)*(?:\.\*)?$/;

const declarations = new WeakMap<object, ConsumerDeclaration>();

/**
 * Declares a class to be a consumer group. List an instance of it in `apps/worker/src/worker-groups.ts`; nothing else names
 * the group. Throws where the declaration makes no sense.
 */
export function Consumer(
  declared: Omit<ConsumerDeclaration, 'retry'> & { readonly retry?: Partial<Retry> },
): (target: new (...args: never[]) => TenantConsumer | StoreConsumer) => void {
  const declaration = { ...declared, retry: { ...RETRY, ...declared.retry } };
  const { group, events, kind, replay, retry } = declaration;
  if (!GROUP.test(group) || group.length > GROUP_LENGTH_MAX)
    throw new Error(`"${group}" does not name a consumer group`);
  if (events !== 'all' && (events.length === 0 || events.some((pattern) => !EVENTS.test(pattern))))
    throw new Error(`the group ${group} names no events, or what are none`);
  if (retry.attemptsMax < 1 || retry.baseMs < 1 || retry.capMs < retry.baseMs)
    throw new Error(`the retries of the group ${group} are out of range`);
  if (kind === 'store' && replay === 'reset')
    throw new Error(`the store ${group} cannot be reset in the transaction that rewinds it`);
  return (target) => {
    declarations.set(target, declaration);
  };
}

/** What the consumer's class declares. Throws where it declares nothing. */
export function declarationOf(consumer: TenantConsumer | StoreConsumer): ConsumerDeclaration {
  const declaration = declarations.get(consumer.constructor);
  if (!declaration) throw new Error(`${consumer.constructor.name} is no @Consumer`);
  if (declaration.replay === 'reset' && !('reset' in consumer))
    throw new Error(`the group ${declaration.group} is replayed after a reset, and has none`);
  if (declaration.kind === 'store' && !('batchMax' in consumer))
    throw new Error(`the store ${declaration.group} has no largest batch`);
  return declaration;
}

/** Whether the group wants events of the type. */
export function wants({ events }: Pick<ConsumerDeclaration, 'events'>, type: string): boolean {
  if (events === 'all') return true;
  return events.some((pattern) =>
    pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern,
  );
}
