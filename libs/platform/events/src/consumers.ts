import type { Database } from '@holdfast/database';
import { type QueueBackend, WakeUpQueue } from '@holdfast/jobs';
import type { Grants, TenantDatabase } from '@holdfast/tenancy';
import type { Report } from './report';
import { StoreDelivery, type StoreGroup } from './store-delivery';
import { TenantDelivery, type TenantGroup } from './tenant-delivery';

/** What consumers need of their process. */
export interface ConsumersOptions {
  readonly tenants: TenantDatabase;
  readonly relay: Database;
  readonly grants: Grants;
  readonly backend: QueueBackend;
  readonly tenantGroups: readonly TenantGroup[];
  readonly storeGroups: readonly StoreGroup[];
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
  /** Delivers in this process, now, and ends after the page under way when it is told to stop. Never throws. */
  deliver(key: string, stopping: AbortSignal): Promise<void>;
}

/** Half of the pool that `tenants` has by default, so that two groups in full swing leave room for each other. */
const CONCURRENCY = 5;

/** The consumer groups of a process: each has its own queue, so that a slow one holds up nobody else. */
export class Consumers {
  readonly groups: readonly ConsumerGroup[];
  private readonly queues: { readonly queue: WakeUpQueue; readonly group: ConsumerGroup }[];
  private readonly stopping = new AbortController();

  constructor(private readonly options: ConsumersOptions) {
    const { tenants, grants, relay, report } = options;
    this.queues = [
      ...options.tenantGroups.map((group) => {
        const delivery = new TenantDelivery(group, tenants, grants, report);
        return this.connect(group.name, 'tenant', (tenantId, stopping) =>
          delivery.deliver(tenantId, stopping),
        );
      }),
      ...options.storeGroups.map((group) => {
        const delivery = new StoreDelivery(group, relay, report);
        return this.connect(group.name, 'store', (_name, stopping) => delivery.deliver(stopping));
      }),
    ];
    this.groups = this.queues.map(({ group }) => group);
  }

  /** Begins to take wake-ups. */
  start(): void {
    const { concurrency = CONCURRENCY } = this.options;
    const { signal } = this.stopping;
    for (const { queue, group } of this.queues) {
      queue.work((key) => group.deliver(key, signal), group.kind === 'store' ? 1 : concurrency);
    }
  }

  /** Removes the wake-ups that name the key from every queue. */
  async forget(key: string): Promise<void> {
    await Promise.all(this.queues.map(({ queue }) => queue.forget(key)));
  }

  /** Takes no more wake-ups and waits for the deliveries under way, each of which ends after its page or batch. */
  async drain(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.queues.map(({ queue }) => queue.stopWorking()));
  }

  /** Drains and closes the queues; nothing can be woken through them afterwards. */
  async stop(): Promise<void> {
    await this.drain();
    await Promise.all(this.queues.map(({ queue }) => queue.close()));
  }

  private connect(
    name: string,
    kind: ConsumerGroup['kind'],
    deliver: ConsumerGroup['deliver'],
  ): { readonly queue: WakeUpQueue; readonly group: ConsumerGroup } {
    const queue = new WakeUpQueue({
      name: `wake.${name}`,
      backend: this.options.backend,
      report: this.options.report,
    });
    return { queue, group: { name, kind, deliver, enqueue: (keys) => queue.enqueue(keys) } };
  }
}
