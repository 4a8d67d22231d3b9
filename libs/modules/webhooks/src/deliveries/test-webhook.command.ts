import { newId } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import type { CloudEvent } from '@holdfast/events';
import type { TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { webhookTested } from '../webhooks.events';
import { insertTestDelivery } from './retries.sql';
import { requireSending, type RetriedView } from './retry-delivery.command';

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
      type: webhookTested.type,
      subject: `${webhookTested.streamType}/${webhookId}`,
      time: new Date().toISOString(),
      datacontenttype: 'application/json',
      tenantid: tx.tenantId,
      streamversion: '0',
      schemaversion: webhookTested.schemaVersion,
      actor: caller.actor,
      correlationid: caller.requestId,
      data: {},
    };
    await insertTestDelivery(tx, { id, endpointId: webhookId, eventId, type: webhookTested.type, body });
    return { id, status: 'pending' };
  }
}
