import { eventually, Receiver } from '@holdfast/testing';
import { Client } from '../journal';
import type { LedgerTenant } from '../ledger-faults/ledger-client';
import type { UpdateStage } from './update-stage';

/** What is behind the last commit by now. */
const DELIVERED_WITHIN_MS = 180_000;

interface Logged {
  readonly id: string;
  readonly type: string;
}

interface Arrived {
  readonly id: string;
  readonly subject: string;
  readonly streamversion: string;
}

/** Receives what a tenant's ledger tells, to be compared with the log when all is over. */
export class LedgerReceiver {
  private constructor(
    private readonly stage: UpdateStage,
    private readonly tenant: LedgerTenant,
    private readonly receiver: Receiver,
  ) {}

  static async open(stage: UpdateStage, tenant: LedgerTenant): Promise<LedgerReceiver> {
    const receiver = await Receiver.start();
    const client = new Client(stage.apis[0]?.url ?? '', tenant.key);
    const { status } = await client.post('/v1/webhooks', { url: receiver.url, eventTypes: ['ledger.*'] });
    if (status !== 201) throw new Error(`no webhook: ${status}`);
    return new LedgerReceiver(stage, tenant, receiver);
  }

  /** Deliveries so far, each of an event that may have come before. */
  get deliveries(): number {
    return this.receiver.received.length;
  }

  /** What the ledger has told of transfers and holds, in the order of the log. */
  logged(): Promise<Logged[]> {
    return this.stage.database.admin<Logged>(
      `select id, type from events.log where tenant_id = $1 and type ~ '^ledger\\.(transfer|hold)\\.' order by seq`,
      [this.tenant.id],
    );
  }

  close(): Promise<void> {
    return this.receiver.stop();
  }

  /** The first arrival of each event that is waited for, in the order in which they came; those that do not come are left out. */
  async arrivals(wanted: ReadonlySet<string>): Promise<ReadonlyMap<string, Arrived>> {
    const first = new Map<string, Arrived>();
    let read = 0;
    await eventually(() => {
      for (const { body } of this.receiver.received.slice(read)) {
        read += 1;
        const event = JSON.parse(body) as Arrived;
        if (wanted.has(event.id) && !first.has(event.id)) first.set(event.id, event);
      }
      return first.size === wanted.size;
    }, DELIVERED_WITHIN_MS).catch(() => {}); // The comparison says which are missing.
    return first;
  }

  /** The ids in the telemetry store, as often as they stand there, once there are as many as were logged. */
  async stored(logged: readonly Logged[]): Promise<string[]> {
    const client = new Client(this.stage.apis[0]?.url ?? '', this.tenant.key);
    const types = new Set(logged.map(({ type }) => type));
    let stored: string[] = [];
    await eventually(async () => {
      const lists = await Promise.all(
        [...types].map((type) => client.all(`/v1/telemetry/events?type=${type}`)),
      );
      stored = lists.flat().map(({ id }) => id);
      return stored.length >= logged.length;
    }, DELIVERED_WITHIN_MS).catch(() => {}); // As above.
    return stored.toSorted();
  }
}

/** Every event has arrived, those of a stream in order, and stands once in the telemetry store. Answers how many, for people. */
export async function expectDelivered(receiver: LedgerReceiver): Promise<string> {
  const logged = await receiver.logged();
  const ids = logged.map(({ id }) => id).toSorted();
  const first = await receiver.arrivals(new Set(ids));
  expect([...first.keys()].toSorted()).toEqual(ids);
  expectOrdered([...first.values()]);
  expect(await receiver.stored(logged)).toEqual(ids);
  return `${ids.length} events came by webhook, ${receiver.deliveries - ids.length} of them twice, and each is stored once`;
}

function expectOrdered(arrived: readonly Arrived[]): void {
  const last = new Map<string, bigint>();
  const early = arrived.filter(({ subject, streamversion }) => {
    const before = last.get(subject) ?? 0n;
    last.set(subject, BigInt(streamversion));
    return BigInt(streamversion) < before;
  });
  expect(early).toEqual([]);
}
