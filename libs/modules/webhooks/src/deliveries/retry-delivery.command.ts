import { NotFound } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import type { TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { getWebhook } from '../endpoints/webhooks.sql';
import { WebhookDisabled, WebhookWithoutSecret } from '../webhooks.errors';
import { findDelivery, hurryDelivery, renewDeliveries } from './retries.sql';

/** What a retry answers: the delivery's id, which its sender uses again. */
export const retriedView = z.object({ id: z.string(), status: z.literal('pending') });

/** What a retry answers. */
export type RetriedView = z.output<typeof retriedView>;

/**
 * Sends a delivery again, now: one that waits for its next attempt as well as one that is over, delivered ones included. The
 * schedule of retries begins anew. Receivers know it by its `webhook-id`.
 */
export class RetryDelivery extends TenantCommand<
  { readonly webhookId?: string; readonly id: string },
  RetriedView
> {
  readonly scope = 'webhooks:write';
}

@CommandHandler(RetryDelivery)
export class RetryDeliveryHandler extends TenantCommandHandler<RetryDelivery> {
  protected async handle(tx: TenantTx, { input: { webhookId, id } }: RetryDelivery): Promise<RetriedView> {
    const delivery = await findDelivery(tx, id);
    if (!delivery || (webhookId ?? delivery.endpoint_id) !== delivery.endpoint_id) throw new NotFound();
    await requireSending(tx, delivery.endpoint_id);
    const isHurried = delivery.status === 'pending' && (await hurryDelivery(tx, id, delivery));
    if (!isHurried) await renewDeliveries(tx, [id]);
    return { id, status: 'pending' };
  }
}

/** Refuses what would be sent to a webhook that is off or cannot sign. Throws NotFound, WebhookDisabled or WebhookWithoutSecret. */
export async function requireSending(tx: TenantTx, webhookId: string): Promise<void> {
  const webhook = await getWebhook(tx, webhookId);
  if (webhook.disabled_at !== null) throw new WebhookDisabled();
  if (webhook.secrets.length === 0) throw new WebhookWithoutSecret();
}
