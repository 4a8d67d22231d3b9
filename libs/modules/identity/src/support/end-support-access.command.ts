import { NotFound } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { supportAccessEnded } from '../identity.events';
import { lockSupportAccess, markSupportAccessEnded } from './support-accesses.sql';

/** Ends the operator's access to the caller's tenant. Ending one that is over changes nothing. */
export class EndSupportAccess extends TenantCommand<{ readonly id: string }, { readonly id: string }> {
  readonly scope = 'support:write';
}

@CommandHandler(EndSupportAccess)
export class EndSupportAccessHandler extends TenantCommandHandler<EndSupportAccess> {
  protected async handle(
    tx: TenantTx,
    { input: { id } }: EndSupportAccess,
  ): Promise<{ readonly id: string }> {
    const access = await lockSupportAccess(tx, id);
    if (!access) throw new NotFound();
    if (access.isOver) return { id };
    await markSupportAccessEnded(tx, id);
    await tx.announce(announcement(supportAccessEnded, { id, version: 2n }, {}));
    return { id };
  }
}
