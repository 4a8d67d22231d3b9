import { SETTLE } from '@holdfast/kernel';
import { TenantCommand } from '@holdfast/cqrs';
import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { Poster } from '../posting/poster';
import type { TransferView } from './transfer';
import type { VoidHoldInput } from './transfer-input';
import { postAlone, postingOf, voidOf } from './transfer-posting';

/** Gives a hold back. What is said of PostHold is true of it. */
export class VoidHold extends TenantCommand<VoidHoldInput & { readonly holdId: string }, TransferView> {
  readonly scope = 'ledger:write';
  override readonly otherScope = SETTLE;
}

@CommandHandler(VoidHold)
export class VoidHoldHandler implements ICommandHandler<VoidHold> {
  constructor(private readonly poster: Poster) {}

  execute(command: VoidHold): Promise<TransferView> {
    const { holdId, id, ...input } = command.input;
    return postAlone(this.poster, command, postingOf(command, 'ledger.void_hold', id, voidOf(holdId, input)));
  }
}
