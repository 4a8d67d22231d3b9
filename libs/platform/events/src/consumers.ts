import type { Database } from '@holdfast/database';
import { type QueueBackend, WakeUpQueue } from '@holdfast/jobs';
import type { Grants, TenantDatabase } from '@holdfast/tenancy';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ConsumerDeclaration, declarationOf, type StoreConsumer, type TenantConsumer } from './consumer';
import { registerGroup } from './groups.sql';
import type { Report } from './report';
import { StoreDelivery } from './store-delivery';
import { TenantDelivery } from './tenant-delivery';

/** What consumers need of their process. */
export interface ConsumersOptions {
  readonly tenants: TenantDatabase;
  readonly relay: Database;
  readonly grants: Grants;
  readonly backend: QueueBackend;
  /** Instances of classes that declare themselves with `@Consumer`; no two of them the same group. */
  readonly consumers: readonly (TenantConsumer | StoreConsumer)[];
  /** Tenants that one group serves at a time in this process; a bulkhead, since each group has its own. */
  readonly concurrency?: number;
  readonly report: Report;
}

/** A group as the relay sees it: keys that can be woken, through the queue or directly. */
export interface ConsumerGroup {
  readonly name: string;
  readonly kind: 'tenant' | 'store';
  /** Wakes through the queue. A store group has one key, its own name. */
  enqueue(keys: readonly string[]): Promise<void>;
  /**
   * Delivers in this process, now, and ends after the page under way when it is told to stop. True where that was not all
   * and others may want their turn. Never throws.
   */
  deliver(key: string, stopping: AbortSignal): Promise<boolean>;
}

/** Half of the pool that `tenants` has by default, so that two groups in full swing leave room for each other. */
const CONCURRENCY = 5;
/** Between two tries to register groups while the database is away. */
const REGISTER_INTERVAL_MS = 1_000;

/** The consumer groups of a process: each has its own queue, so that a slow one holds up nobody else. */
export class Consumers {
  readonly groups: readonly ConsumerGroup[];
  private readonly queues: { readonly queue: WakeUpQueue; readonly group: ConsumerGroup }[];
  private readonly declarations: readonly ConsumerDeclaration[];
  private readonly stopping = new AbortController();
  private registering: Promise<void> = Promise.resolve();

  /** Throws where a class declares no group, or two declare the same. */
  constructor(private readonly options: ConsumersOptions) {
    this.declarations = options.consumers.map(declarationOf);
    const names = this.declarations.map(({ group }) => group);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined) throw new Error(`two consumers are the group ${twice}`);
    this.queues = options.consumers.map((consumer) => this.connect(consumer));
    this.groups = this.queues.map(({ group }) => group);
  }

  /** Registers the groups, as soon as the database answers, and begins to take wake-ups. */
  start(): void {
    const { concurrency = CONCURRENCY } = this.options;
    const { signal } = this.stopping;
    this.registering = this.register();
    for (const { queue, group } of this.queues) {
      const deliver = async (key: string): Promise<void> => {
        // At the back of the queue; where it is away, the sweep finds what is left.
        if (await group.deliver(key, signal)) await group.enqueue([key]);
      };
      queue.work(deliver, group.kind === 'store' ? 1 : concurrency);
    }
  }

  /** Removes the wake-ups that name the key from every queue. */
  async forget(key: string): Promise<void> {
    await Promise.all(this.queues.map(({ queue }) => queue.forget(key)));
  }

  /** Takes no more wake-ups and waits for the deliveries under way, each of which ends after its page or batch. */
  async drain(): Promise<void> {
    this.stopping.abort();
    await Promise.all([this.registering, ...this.queues.map(({ queue }) => queue.stopWorking())]);
  }

  /** Drains and closes the queues; nothing can be woken through them afterwards. */
  async stop(): Promise<void> {
    await this.drain();
    await Promise.all(this.queues.map(({ queue }) => queue.close()));
  }

  /** Until a group is registered it has no cursor and cannot lag, so wake-ups that come first find nothing to do. */
  private async register(): Promise<void> {
    const waiting = new Set(this.declarations);
    while (!this.stopping.signal.aborted) {
      for (const declaration of waiting) {
        await registerGroup(this.options.relay, declaration).then(
          () => waiting.delete(declaration),
          (error: unknown) => this.options.report(error, `registering ${declaration.group}`),
        );
      }
      if (waiting.size === 0) return;
      await sleep(REGISTER_INTERVAL_MS, undefined, { signal: this.stopping.signal }).catch(() => {}); // Stopped.
    }
  }

  private connect(consumer: TenantConsumer | StoreConsumer): {
    readonly queue: WakeUpQueue;
    readonly group: ConsumerGroup;
  } {
    const { relay, tenants, grants, backend, report } = this.options;
    const { group: name, kind } = declarationOf(consumer);
    const queue = new WakeUpQueue({ name: `wake.${name}`, backend, report });
    const enqueue = (keys: readonly string[]): Promise<void> => queue.enqueue(keys);
    if (isStore(consumer)) {
      const delivery = new StoreDelivery(consumer, relay, report);
      return {
        queue,
        group: { name, kind, enqueue, deliver: (_name, stopping) => delivery.deliver(stopping) },
      };
    }
    const delivery = new TenantDelivery(consumer, tenants, grants, report);
    const deliver = (key: string, stopping: AbortSignal): Promise<boolean> => delivery.deliver(key, stopping);
    return { queue, group: { name, kind, enqueue, deliver } };
  }
}

function isStore(consumer: TenantConsumer | StoreConsumer): consumer is StoreConsumer {
  return declarationOf(consumer).kind === 'store';
}
