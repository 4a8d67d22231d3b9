import type { TenantTx } from '@holdfast/tenancy';
import { Consumer, type ConsumerDeclaration, type StoreConsumer, type TenantConsumer } from '../src/consumer';
import type { RecordedEvent } from '../src/recorded-event';

type Declared = Partial<Omit<ConsumerDeclaration, 'retry'>> & {
  readonly retry?: Partial<ConsumerDeclaration['retry']>;
};

/** A tenant group that does what it is told; it is called `probe` and takes every event. */
export function tenantConsumer(
  deliver: TenantConsumer['deliver'] = () => Promise.resolve(),
  declared: Declared = {},
  reset: (tx: TenantTx) => Promise<void> = () => Promise.resolve(),
): TenantConsumer {
  @Consumer({
    group: 'probe',
    kind: 'tenant',
    events: 'all',
    key: 'stream',
    from: 'beginning',
    replay: 'idempotent',
    ...declared,
  })
  class Probe implements TenantConsumer {
    deliver(tx: TenantTx, events: readonly RecordedEvent[]): Promise<void> {
      return deliver(tx, events);
    }

    reset(tx: TenantTx): Promise<void> {
      return reset(tx);
    }
  }
  return new Probe();
}

/** A store group that does what it is told; it is called `store` and takes every event. */
export function storeConsumer(
  deliver: StoreConsumer['deliver'] = () => Promise.resolve(),
  { batchMax = 10, paceMs = 0, ...declared }: Declared & { batchMax?: number; paceMs?: number } = {},
): StoreConsumer {
  @Consumer({
    group: 'store',
    kind: 'store',
    events: 'all',
    key: 'stream',
    from: 'beginning',
    replay: 'idempotent',
    ...declared,
  })
  class Store implements StoreConsumer {
    readonly batchMax = batchMax;
    readonly paceMs = paceMs;

    deliver(...batch: Parameters<StoreConsumer['deliver']>): Promise<void> {
      return deliver(...batch);
    }
  }
  return new Store();
}
