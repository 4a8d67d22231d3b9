import { NotFound } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import { LegalHoldLifted } from './holds.errors';
import { legalHoldLifted } from './holds.events';
import { type LegalHoldView, showLegalHold } from './legal-hold';
import { lockHolds, lockLegalHold, markLegalHoldLifted } from './legal-holds.sql';

/** Lifts a legal hold; its row stays. Throws NotFound and LegalHoldLifted. */
export class LiftLegalHold extends TenantCommand<{ readonly id: string }, LegalHoldView> {
  readonly scope = 'personal:write';
}

@CommandHandler(LiftLegalHold)
export class LiftLegalHoldHandler extends TenantCommandHandler<LiftLegalHold> {
  protected async handle(tx: TenantTx, { input: { id } }: LiftLegalHold): Promise<LegalHoldView> {
    await lockHolds(tx);
    const hold = await lockLegalHold(tx, id);
    if (!hold) throw new NotFound();
    if (hold.lifted_at) throw new LegalHoldLifted();
    const lifted = await markLegalHoldLifted(tx, id);
    await tx.announce(announcement(legalHoldLifted, { id, version: 2n }, {}));
    return showLegalHold(lifted);
  }
}
