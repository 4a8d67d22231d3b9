import { TenantCommand } from '@holdfast/cqrs';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Poster } from '../posting/poster';
import type { PostedItemsView } from './transfer';
import type { PostTransfersInput } from './transfer-input';
import { postingOfItem } from './transfer-posting';

/**
 * Posts many items in their order, each seeing those before it. A refused item leaves the others alone, but for those that
 * it is linked with: its result is its code. When the whole fails (503), the same request may be sent again: items are
 * posted once for their ids.
 */
export class PostTransfers extends TenantCommand<PostTransfersInput, PostedItemsView> {
  readonly scope = 'ledger:write';
}

@CommandHandler(PostTransfers)
export class PostTransfersHandler implements ICommandHandler<PostTransfers> {
  constructor(private readonly poster: Poster) {}

  async execute({ caller, input }: PostTransfers): Promise<PostedItemsView> {
    const postings = input.items.map((item) => postingOfItem(caller, item, false));
    const results = await this.poster.submit(caller, postings);
    return { results: results.map(({ id, result }) => ({ id, result })) };
  }
}
