import { newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import type { CloudEvent } from '@holdfast/events';
import type { TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { insertTestDelivery } from './retries.sql';
import { requireSending, type RetriedView } from './retry-delivery.command';

/** The type of a test, which no module announces. */
const TEST_TYPE = 'webhooks.endpoint.tested';

/** Sends a webhook a test, whatever types it wants. The answer names the delivery, whose log says what came of it. */
export class TestWebhook extends TenantCommand<{ readonly webhookId: string }, RetriedView> {
  readonly scope = 'webhooks:write';
}

@CommandHandler(TestWebhook)
export class TestWebhookHandler extends TenantCommandHandler<TestWebhook> {
  protected async handle(tx: TenantTx, { caller, input: { webhookId } }: TestWebhook): Promise<RetriedView> {
    await requireSending(tx, webhookId);
    const [id, eventId] = [newId(), newId()];
    const body: CloudEvent = {
      specversion: '1.0',
      id: eventId,
      source: `/tenants/${tx.tenantId}`,
      type: TEST_TYPE,
      subject: `webhooks.endpoint/${webhookId}`,
      time: new Date().toISOString(),
      datacontenttype: 'application/json',
      tenantid: tx.tenantId,
      streamversion: '0',
      schemaversion: 1,
      actor: caller.actor,
      correlationid: caller.requestId,
      data: {},
    };
    await insertTestDelivery(tx, { id, endpointId: webhookId, eventId, type: TEST_TYPE, body });
    return { id, status: 'pending' };
  }
}
