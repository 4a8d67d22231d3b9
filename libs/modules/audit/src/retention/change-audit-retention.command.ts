import { TenantCommand, TenantCommandHandler } from '@holdfast/cqrs';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { insertTask } from '@holdfast/tasks';
import { CommandHandler } from '@nestjs/cqrs';
import { lockHolds } from '../holds/legal-holds.sql';
import type { AuditRetentionView } from './retention-view';
import { auditRetentionChanged } from './retention.events';
import { changeKeepDays, findKeepDays } from './retention.sql';

/** Says how long events are kept, and leaves a task to the workers where that is not for ever. */
export class ChangeAuditRetention extends TenantCommand<AuditRetentionView, AuditRetentionView> {
  readonly scope = 'audit:write';
}

@CommandHandler(ChangeAuditRetention)
export class ChangeAuditRetentionHandler extends TenantCommandHandler<ChangeAuditRetention> {
  protected async handle(
    tx: TenantTx,
    { input: { keepDays } }: ChangeAuditRetention,
  ): Promise<AuditRetentionView> {
    // The task ends under the same lock where nothing is to be pruned.
    await lockHolds(tx);
    if ((await findKeepDays(tx)) === keepDays) return { keepDays };
    const version = await changeKeepDays(tx, keepDays);
    if (keepDays !== null) await insertTask(tx, 'audit-retention', tx.tenantId);
    await tx.announce(announcement(auditRetentionChanged, { id: tx.tenantId, version }, { keepDays }));
    return { keepDays };
  }
}
