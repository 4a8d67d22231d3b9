import { TenantCommand } from '@holdfast/cqrs';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { PLAIN } from '../posting/post-batch.sql';
import { Poster } from '../posting/poster';
import type { PostedItemsView, PostTransfersInput } from './transfer';

/**
 * Posts many transfers in their order, each seeing those before it. A refused item leaves the others alone: its result
 * is its code. When the whole fails (503), the same request may be sent again: items are posted once for their ids.
 */
export class PostTransfers extends TenantCommand<PostTransfersInput, PostedItemsView> {
  readonly scope = 'ledger:write';
}

@CommandHandler(PostTransfers)
export class PostTransfersHandler implements ICommandHandler<PostTransfers> {
  constructor(private readonly poster: Poster) {}

  async execute({ caller, input }: PostTransfers): Promise<PostedItemsView> {
    const postings = input.items.map(({ id, debitAccountId, creditAccountId, amount, metadata }) => {
      const item = { id, idGiven: true, idempotencyKey: null };
      return {
        ...item,
        ...PLAIN,
        detailed: false,
        caller,
        debitAccountId,
        creditAccountId,
        amount,
        metadata,
      };
    });
    const results = await this.poster.submit(caller, postings);
    return { results: results.map(({ id, result }) => ({ id, result })) };
  }
}
