import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { webhookRemoved } from '../webhooks.events';
import { lockWebhook, markWebhookRemoved } from './webhooks.sql';

interface Named {
  readonly id: string;
}

/** Removes a webhook. Nothing more is sent, but for what is under way; its deliveries are deleted within minutes. */
export class RemoveWebhook extends TenantCommand<Named & { readonly version: string }, Named> {
  readonly scope = 'webhooks:write';
}

@CommandHandler(RemoveWebhook)
export class RemoveWebhookHandler extends TenantCommandHandler<RemoveWebhook> {
  protected async handle(tx: TenantTx, { input: { id, version } }: RemoveWebhook): Promise<Named> {
    const locked = await lockWebhook(tx, id, version);
    await markWebhookRemoved(tx, id);
    await tx.announce(announcement(webhookRemoved, { id, version: locked.version + 1n }, {}));
    return { id };
  }
}
