import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { AddressPolicy } from '@holdfast/outgoing';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { webhookChanged, webhookDisabled, webhookEnabled } from '../webhooks.events';
import { requireDeliverable, showWebhook, webhookContent, type WebhookView } from './webhook';
import {
  disableWebhook,
  enableWebhook,
  getWebhook,
  type LockedWebhook,
  lockWebhook,
  updateWebhook,
} from './webhooks.sql';

/** What PATCH /v1/webhooks/{id} takes; what is left out stays. */
export const changeWebhookInput = z.strictObject({
  url: webhookContent.url.optional(),
  description: webhookContent.description.optional(),
  eventTypes: webhookContent.eventTypes.optional(),
  enabled: z.boolean().optional().meta({
    description:
      'Off: nothing is sent, what waits is canceled. What occurs meanwhile is listed, and sent when retried.',
  }),
});

type Change = z.output<typeof changeWebhookInput> & { readonly id: string; readonly version: string };

/** Changes a webhook, and switches it off and on. What waits for a retry goes to its address as it is by then. */
export class ChangeWebhook extends TenantCommand<Change, WebhookView> {
  readonly scope = 'webhooks:write';
}

@CommandHandler(ChangeWebhook)
export class ChangeWebhookHandler extends TenantCommandHandler<ChangeWebhook> {
  constructor(private readonly policy: AddressPolicy) {
    super();
  }

  protected async handle(tx: TenantTx, { input }: ChangeWebhook): Promise<WebhookView> {
    const locked = await lockWebhook(tx, input.id, input.version);
    if (input.url !== undefined) requireDeliverable(this.policy, input.url);
    const version = await this.rewrite(tx, locked, input);
    await this.toggle(tx, locked, input, version);
    return showWebhook(await getWebhook(tx, input.id));
  }

  /** Writes what is written about it, where that is given; answers the version that it is at. */
  private async rewrite(tx: TenantTx, locked: LockedWebhook, input: Change): Promise<bigint> {
    const { id, url = locked.url, description = locked.description, eventTypes = locked.event_types } = input;
    const isGiven = [input.url, input.description, input.eventTypes].some((given) => given !== undefined);
    if (!isGiven) return locked.version;
    await updateWebhook(tx, id, { url, description, eventTypes });
    const version = locked.version + 1n;
    await tx.announce(announcement(webhookChanged, { id, version }, {}));
    return version;
  }

  private async toggle(
    tx: TenantTx,
    { disabled_reason: reason }: LockedWebhook,
    { id, enabled = reason === null }: Change,
    version: bigint,
  ): Promise<void> {
    if (enabled === (reason === null)) return;
    const stream = { id, version: version + 1n };
    if (enabled) {
      await enableWebhook(tx, id);
      await tx.announce(announcement(webhookEnabled, stream, {}));
    } else {
      await disableWebhook(tx, id, 'tenant');
      await tx.announce(announcement(webhookDisabled, stream, { reason: 'tenant' }));
    }
  }
}
