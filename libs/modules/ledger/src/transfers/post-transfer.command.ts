import { TenantCommand } from '@holdfast/cqrs';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Poster } from '../posting/poster';
import type { TransferView } from './transfer';
import type { PostTransferInput } from './transfer-input';
import { postAlone, postingOf, wantedOf } from './transfer-posting';

/**
 * Moves an amount from the debited to the credited account, or holds it between them. Throws what `ledger.post_items`
 * refuses with; a refusal is final for its id and its idempotency key.
 */
export class PostTransfer extends TenantCommand<PostTransferInput, TransferView> {
  readonly scope = 'ledger:write';
}

/** Posts through the poster, together with others; the ledger's own keys are the record of idempotency. */
@CommandHandler(PostTransfer)
export class PostTransferHandler implements ICommandHandler<PostTransfer> {
  constructor(private readonly poster: Poster) {}

  execute(command: PostTransfer): Promise<TransferView> {
    const { id, ...input } = command.input;
    return postAlone(this.poster, command, postingOf(command, 'ledger.post_transfer', id, wantedOf(input)));
  }
}
