import { InvalidInput } from '@holdfast/kernel';
import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { CommandHandler } from '@nestjs/cqrs';
import type { z } from 'zod';
import { periodClosed, periodReopened } from '../ledger.events';
import { type closePeriodInput, type PeriodView, type reopenPeriodInput, showPeriod } from './period';
import { lockBooks, nextPeriodVersion, updateBooks } from './periods.sql';

/**
 * Closes all days through one: nothing can be dated back into them any more. Waits for what is being dated back. Where they are
 * closed already, nothing changes. Throws InvalidInput for a day that has not ended, or not an hour ago: what is dated to its
 * own day asks nobody, and a transaction of yesterday that is still under way is shorter than that.
 */
export class ClosePeriod extends TenantCommand<z.output<typeof closePeriodInput>, PeriodView> {
  readonly scope = 'ledger:close';
}

/** Opens the days behind one again, or all. Where they are open already, nothing changes. */
export class ReopenPeriod extends TenantCommand<z.output<typeof reopenPeriodInput>, PeriodView> {
  readonly scope = 'ledger:close';
}

@CommandHandler(ClosePeriod)
export class ClosePeriodHandler extends TenantCommandHandler<ClosePeriod> {
  protected async handle(tx: TenantTx, { input: { through } }: ClosePeriod): Promise<PeriodView> {
    const locked = await lockBooks(tx);
    if (locked.closed_through !== null && locked.closed_through >= through) return showPeriod(locked);
    if (through > locked.closable_through) {
      const message = 'A day can be closed an hour after it has ended in UTC, at the earliest.';
      throw new InvalidInput([{ pointer: '/through', code: 'not_over', message }]);
    }
    const books = await updateBooks(tx, through);
    const version = await nextPeriodVersion(tx, periodClosed.streamType);
    await tx.announce(announcement(periodClosed, { id: tx.tenantId, version }, { closedThrough: through }));
    return showPeriod(books);
  }
}

@CommandHandler(ReopenPeriod)
export class ReopenPeriodHandler extends TenantCommandHandler<ReopenPeriod> {
  protected async handle(tx: TenantTx, { input: { through } }: ReopenPeriod): Promise<PeriodView> {
    const locked = await lockBooks(tx);
    const { closed_through: closedThrough } = locked;
    if (closedThrough === null || (through !== null && through >= closedThrough)) return showPeriod(locked);
    const books = await updateBooks(tx, through);
    const version = await nextPeriodVersion(tx, periodReopened.streamType);
    await tx.announce(announcement(periodReopened, { id: tx.tenantId, version }, { closedThrough: through }));
    return showPeriod(books);
  }
}
