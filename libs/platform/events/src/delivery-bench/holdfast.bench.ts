import { join } from 'node:path';
import { Database } from '@holdfast/database';
import { Grants, TenantDatabase } from '@holdfast/tenancy';
import { Consumer, type StoreConsumer, type TenantConsumer } from '../consumer';
import { Consumers } from '../consumers';
import type { RecordedEvent } from '../recorded-event';
import { Relay } from '../relay';
import { Sequencer } from '../sequencer';
import {
  type BenchServers,
  CONNECTIONS,
  type Contestant,
  type Handler,
  type Movement,
} from './contestant.bench';

/** Sequencer, relay, queue and one tenant group (and stores, where they are measured), as a worker composes them. */
export class HoldfastContestant implements Contestant {
  readonly publisher = join(__dirname, 'holdfast-publisher.bench.js');
  readonly tables = [
    'events.ticks',
    'events.heads',
    'events.leases',
    'events.tenant_cursors',
    'events.log',
    'jobs',
  ];
  private stopping: (() => Promise<void>) | undefined;

  constructor(
    private readonly servers: BenchServers,
    private readonly store?: StoreConsumer,
    readonly name = 'holdfast',
  ) {}

  async prepare(): Promise<void> {}

  start(handler: Handler): Promise<void> {
    const open = (url: string, connectionsMax: number): Database =>
      new Database({ url, name: 'bench delivery', connectionsMax, acquireTimeoutMs: 60_000 });
    const { appUrl, authUrl, relayUrl, backend } = this.servers;
    const [app, auth, relay] = [open(appUrl, CONNECTIONS), open(authUrl, 2), open(relayUrl, 6)];
    const grants = new Grants(auth);
    grants.watch();
    const report = (error: unknown, doing: string): void => console.error(doing, error);
    const consumers = new Consumers({
      tenants: new TenantDatabase(app),
      relay,
      grants,
      backend,
      consumers: [this.store ? new BenchStore(this.store, handler) : new BenchConsumer(handler)],
      report,
    });
    const sequencer: Sequencer = new Sequencer({
      relay,
      report,
      onTick: (tick) => waker.accept(tick),
      onLead: () => waker.hurry(),
    });
    const waker = new Relay({
      relay,
      groups: consumers.groups,
      isLeading: () => sequencer.isLeading,
      report,
    });
    consumers.start();
    waker.start();
    sequencer.start();
    this.stopping = async () => {
      await sequencer.stop();
      await waker.stop();
      await consumers.stop();
      grants.close();
      await Promise.all([app.close(), auth.close(), relay.close()]);
    };
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    await this.stopping?.();
  }
}

const DECLARED = { events: 'all', key: 'stream', from: 'now', replay: 'never' } as const;

@Consumer({ ...DECLARED, group: 'bench', kind: 'tenant' })
class BenchConsumer implements TenantConsumer {
  constructor(private readonly handler: Handler) {}

  deliver(_tx: unknown, events: readonly RecordedEvent[]): Promise<void> {
    this.handler(events.map(movementOf));
    return Promise.resolve();
  }
}

/** A store whose answer counts as the handling. */
@Consumer({ ...DECLARED, group: 'bench-store', kind: 'store' })
class BenchStore implements StoreConsumer {
  readonly batchMax: number;
  readonly paceMs?: number;

  constructor(
    private readonly store: StoreConsumer,
    private readonly handler: Handler,
  ) {
    this.batchMax = store.batchMax;
    if (store.paceMs !== undefined) this.paceMs = store.paceMs;
  }

  async deliver(...batch: Parameters<StoreConsumer['deliver']>): Promise<void> {
    await this.store.deliver(...batch);
    const [events] = batch;
    this.handler(events.map(movementOf));
  }
}

function movementOf({ data, streamVersion }: RecordedEvent): Movement {
  return { place: (data as { readonly place: number }).place, version: Number(streamVersion) };
}
