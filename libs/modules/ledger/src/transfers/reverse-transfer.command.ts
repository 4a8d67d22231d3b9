import { TenantCommand } from '@holdfast/cqrs';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Poster } from '../posting/poster';
import type { TransferView } from './transfer';
import type { ReverseTransferInput } from './transfer-input';
import { postAlone, postingOf, reversalOf } from './transfer-posting';

/**
 * Makes a posted transfer the other way round, once. It is a transfer of its own, so limits, closed accounts and closed
 * periods refuse it like any other.
 */
export class ReverseTransfer extends TenantCommand<
  ReverseTransferInput & { readonly transferId: string },
  TransferView
> {
  readonly scope = 'ledger:write';
}

@CommandHandler(ReverseTransfer)
export class ReverseTransferHandler implements ICommandHandler<ReverseTransfer> {
  constructor(private readonly poster: Poster) {}

  execute(command: ReverseTransfer): Promise<TransferView> {
    const { transferId, id, ...input } = command.input;
    return postAlone(
      this.poster,
      command,
      postingOf(command, 'ledger.reverse_transfer', id, reversalOf(transferId, input)),
    );
  }
}
