import { instantSchema } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import type { TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { eventTypeFilter } from './deliveries.query';
import { listRetriable, renewDeliveries } from './retries.sql';
import { requireSending } from './retry-delivery.command';

/** What POST /v1/webhooks/{id}/deliveries:retry takes. */
export const retryDeliveriesInput = z.strictObject({
  status: z
    .enum(['failed', 'canceled', 'delivered'])
    .default('failed')
    .meta({ description: 'Which to send again; what occurred while the webhook was off is canceled.' }),
  type: eventTypeFilter
    .optional()
    .meta({ description: 'Only events of this type.', examples: ['ledger.transfer.posted'] }),
  from: instantSchema.meta({
    description: 'Only deliveries made at or after this instant.',
    examples: ['2026-11-20T10:00:00Z'],
  }),
  to: instantSchema.optional().meta({
    description: 'Only deliveries made before this instant.',
    examples: ['2199-11-20T10:00:00Z'],
  }),
});

/** What a retry in bulk answers. */
export const retriedDeliveriesView = z.object({
  retried: z.int(),
  nextFrom: z.iso
    .datetime()
    .nullable()
    .meta({ description: 'There is more: ask again with this as `from`. Null: that was all.' }),
});

/** What a retry in bulk answers. */
export type RetriedDeliveriesView = z.output<typeof retriedDeliveriesView>;

type Input = z.output<typeof retryDeliveriesInput> & { readonly webhookId: string };

/** Sends again what a filter chooses, the oldest first, up to a thousand at a time. Each stream in its order. */
export class RetryDeliveries extends TenantCommand<Input, RetriedDeliveriesView> {
  readonly scope = 'webhooks:write';
}

/** One transaction, and as many lanes to lock. */
const RETRIED_MAX = 1_000;

@CommandHandler(RetryDeliveries)
export class RetryDeliveriesHandler extends TenantCommandHandler<RetryDeliveries> {
  protected async handle(tx: TenantTx, { input }: RetryDeliveries): Promise<RetriedDeliveriesView> {
    const { webhookId, status, type, from, to } = input;
    await requireSending(tx, webhookId);
    const found = await listRetriable(tx, webhookId, { status, type, from, to }, RETRIED_MAX + 1);
    const chosen = found.slice(0, RETRIED_MAX);
    const retried = await renewDeliveries(
      tx,
      chosen.map(({ id }) => id),
    );
    return { retried, nextFrom: found[RETRIED_MAX]?.created_text ?? null };
  }
}
