import { type Caller, newId } from '@holdfast/kernel';
import type { RecordedEvent } from '@holdfast/events';
import { WebhooksConsumer } from '../src/deliveries/webhooks.listener';
import { Deliveries } from '../src/deliveries/deliveries.query';
import type { DeliveryDetailView, DeliveryView } from '../src/deliveries/delivery';
import { DeliveryById } from '../src/deliveries/delivery-by-id.query';
import { WebhookSender, type WebhookSenderOptions } from '../src/sending/webhook-sender';
import { TEST_KEY, THIS_MACHINE, WebhooksApp } from './webhooks-app';

type Options = Partial<Pick<WebhookSenderOptions, 'limits' | 'resolve' | 'ca' | 'settings'>>;

/** A row as the administrator's connection reads it. */
interface WithTextNumbers extends Omit<RecordedEvent, 'seq' | 'streamVersion'> {
  readonly seq: string;
  readonly streamVersion: string;
}

/** The module with senders, and with events that are put into the queue as the group does it. */
export class SendingApp {
  private readonly senders: WebhookSender[] = [];
  readonly reports: string[] = [];

  private constructor(readonly app: WebhooksApp) {}

  static async start(): Promise<SendingApp> {
    return new SendingApp(await WebhooksApp.start());
  }

  async close(): Promise<void> {
    await this.stopSenders();
    await this.app.close();
  }

  async stopSenders(): Promise<void> {
    await Promise.all(this.senders.splice(0).map((sender) => sender.stop()));
  }

  /** A sender as a process has it, with pools of its own. */
  sender(options: Options = {}): WebhookSender {
    const { database, grants } = this.app;
    const sender = new WebhookSender({
      tenants: database.tenants(6),
      relay: database.as('holdfast_relay', 1),
      grants,
      settings: { keys: [TEST_KEY], allowedNetworks: THIS_MACHINE },
      report: (error, doing) => void this.reports.push(`${doing}: ${String(error)}`),
      ...options,
    });
    this.senders.push(sender);
    sender.start();
    return sender;
  }

  /** Announces the next event of each stream, in one transaction, and hands all to the group in another. */
  async announce(
    caller: Caller,
    streams: readonly string[],
    sender?: WebhookSender,
    type = 'probe.thing.made',
  ): Promise<RecordedEvent[]> {
    const { database } = this.app;
    const tenants = database.tenants(1);
    const ids: string[] = [];
    for (const streamId of streams) {
      const id = newId();
      ids.push(id);
      const [row] = await database.admin<{ version: string }>(
        'select coalesce(max(stream_version), 0) + 1 as version from events.log where tenant_id = $1 and stream_id = $2',
        [caller.tenantId, streamId],
      );
      const streamVersion = BigInt(row?.version ?? 1);
      const event = { id, type, schemaVersion: 1, streamType: 'probe.thing', streamId };
      const traced = { ...caller, traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01` };
      await tenants.transaction(traced, (tx) => tx.announce({ ...event, streamVersion, payload: '{"n":1}' }));
    }
    const events = await this.recorded(caller, ids);
    await this.deliver(caller, events, sender);
    return events;
  }

  /** Hands events to the group. */
  async deliver(caller: Caller, events: readonly RecordedEvent[], sender?: WebhookSender): Promise<void> {
    const consumer = new WebhooksConsumer((tenantId) => sender?.hint(tenantId));
    await this.app.database.tenants(1).transaction(caller, (tx) => consumer.deliver(tx, events));
  }

  async deliveries(caller: Caller, webhookId: string, more: object = {}): Promise<readonly DeliveryView[]> {
    return (await this.app.ask(new Deliveries(caller, { webhookId, limit: 200, ...more }))).data;
  }

  detail(caller: Caller, webhookId: string, id: string): Promise<DeliveryDetailView> {
    return this.app.ask(new DeliveryById(caller, { webhookId, id }));
  }

  private async recorded({ tenantId }: Caller, ids: readonly string[]): Promise<RecordedEvent[]> {
    const rows = await this.app.database.admin<WithTextNumbers>(
      `select seq, id, tenant_id as "tenantId", stream_type as "streamType", stream_id as "streamId",
         stream_version as "streamVersion", type, schema_version as "schemaVersion", actor, act,
         correlation_id as "correlationId", causation_id as "causationId", traceparent,
         to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt", data
       from events.log where tenant_id = $1 and id = any ($2) order by seq`,
      [tenantId, ids],
    );
    return rows.map((row) => ({
      ...row,
      seq: BigInt(row.seq),
      streamVersion: BigInt(row.streamVersion),
    }));
  }
}
