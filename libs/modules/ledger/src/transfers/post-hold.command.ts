import { SETTLE } from '@holdfast/kernel';
import { TenantCommand } from '@holdfast/cqrs';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Poster } from '../posting/poster';
import type { TransferView } from './transfer';
import type { PostHoldInput } from './transfer-input';
import { postAlone, postingOf, postOf } from './transfer-posting';

/**
 * Posts a hold, in part where an amount is given; what is left is given back. A hold ends once. Neither a closed account or
 * period nor the suspension of the tenant keeps it from ending.
 */
export class PostHold extends TenantCommand<PostHoldInput & { readonly holdId: string }, TransferView> {
  readonly scope = 'ledger:write';
  override readonly otherScope = SETTLE;
}

@CommandHandler(PostHold)
export class PostHoldHandler implements ICommandHandler<PostHold> {
  constructor(private readonly poster: Poster) {}

  execute(command: PostHold): Promise<TransferView> {
    const { holdId, id, ...input } = command.input;
    return postAlone(this.poster, command, postingOf(command, 'ledger.post_hold', id, postOf(holdId, input)));
  }
}
