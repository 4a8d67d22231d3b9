import { Consumer, type RecordedEvent, type TenantConsumer } from '@holdfast/events';
import type { TenantTx } from '@holdfast/tenancy';
import { deliveriesOf, enqueueDeliveries, listListeningEndpoints } from './queue.sql';
import { KEPT_MS } from './retention';

/**
 * Puts each event into the lanes of the endpoints that want it, in the transaction in which the group's cursor moves: once
 * for each endpoint, however often the event comes.
 *
 * Deliveries and their attempts are not events, so nothing that is sent causes anything to be sent. What happens to an
 * endpoint is one; it is sent to the others, and to that endpoint while it is on.
 */
@Consumer({
  group: 'webhooks',
  kind: 'tenant',
  events: 'all',
  key: 'stream',
  from: 'beginning',
  replay: 'idempotent',
})
export class WebhooksConsumer implements TenantConsumer {
  /** `hint` hears of tenants that have something to send, a moment before it is committed. */
  constructor(private readonly hint: (tenantId: string) => void = () => {}) {}

  async deliver(tx: TenantTx, events: readonly RecordedEvent[]): Promise<void> {
    const endpoints = await listListeningEndpoints(tx);
    const fresh = deliveriesOf(endpoints, events, new Date(Date.now() - KEPT_MS));
    if (fresh.length === 0) return;
    await enqueueDeliveries(tx, fresh);
    this.hint(tx.tenantId);
  }
}
