import { deterministicId, newId } from '@holdfast/kernel';
import { TenantCommand } from '@holdfast/cqrs';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { refusalOf } from '../ledger.errors';
import { PLAIN, type Posting, type PostingResult } from '../posting/post-batch.sql';
import { Poster } from '../posting/poster';
import type { PostTransferInput, TransferView } from './transfer';

/**
 * Moves an amount from the debited to the credited account. Throws what `ledger.post_batch` refuses with; a refusal is
 * final for its id and its idempotency key.
 */
export class PostTransfer extends TenantCommand<PostTransferInput, TransferView> {
  readonly scope = 'ledger:write';
}

/** Posts through the poster, together with others; the ledger's attempts are the record of idempotency. */
@CommandHandler(PostTransfer)
export class PostTransferHandler implements ICommandHandler<PostTransfer> {
  constructor(private readonly poster: Poster) {}

  async execute(command: PostTransfer): Promise<TransferView> {
    const posting = postingOf(command);
    const [result] = await this.poster.submit(command.caller, [posting]);
    if (!result) throw new Error('ledger.post_batch left an item without a result');
    if (command.idempotency) command.idempotency.replayed = result.replayed;
    const refusal = refusalOf(result.result);
    if (refusal) throw refusal;
    return transferOf(posting, result);
  }
}

function postingOf({ caller, input, idempotency }: PostTransfer): Posting {
  const { id, debitAccountId, creditAccountId, amount, metadata } = input;
  return {
    caller,
    id: id ?? newId(),
    idGiven: id !== undefined,
    idempotencyKey: idempotency
      ? deterministicId(caller.actor, 'ledger.post_transfer', idempotency.key)
      : null,
    debitAccountId,
    creditAccountId,
    amount,
    metadata,
    ...PLAIN,
  };
}

/** A replay asks for what the original asked for, so the fields of the one are those of the other. */
function transferOf(
  posting: Posting,
  { id, asset, debitVersion, creditVersion, bookedAt }: PostingResult,
): TransferView {
  const { debitAccountId, creditAccountId, amount, metadata } = posting;
  return {
    id,
    status: 'posted',
    debitAccountId: debitAccountId ?? '',
    creditAccountId: creditAccountId ?? '',
    asset: asset ?? '',
    amount: String(amount),
    debitVersion: String(debitVersion),
    creditVersion: String(creditVersion),
    metadata: { ...metadata },
    bookedAt: bookedAt ?? '',
  };
}
