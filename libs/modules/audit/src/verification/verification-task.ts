import type { Report } from '@holdfast/events';
import type { TaskKindOfWork, TaskRun } from '@holdfast/tasks';
import { deleteMendedLogBreaks, recordLogBreaks } from './log-breaks.sql';
import type { LogFinding } from './log-finding';
import { beginLogVerification, type LogProgress } from './log-progress';
import { verifiedEventsTotal } from './verification-metrics';
import { verifyLogPage } from './verify-log';

type Progress = { readonly log?: LogProgress };

/** Between the end of one verification of a log and the beginning of the next. */
const AGAIN_SECONDS = 86_400;

/** A log does not hold. Goes to the log of the process with its place, once. */
export class AuditLogBroken extends Error {
  override readonly name = 'AuditLogBroken';

  constructor(tenantId: string, { kind, epoch, index, eventId, message }: LogFinding) {
    super(
      `tenant ${tenantId}, epoch ${epoch}, leaf ${index ?? '-'}, event ${eventId ?? '-'}, ${kind}: ${message}`,
    );
  }
}

/**
 * Verifies the log of a tenant once a day, a page in a step. What it finds commits together with how far it got, so a worker that
 * is killed is followed by one that goes on, and each finding is announced once.
 */
export class VerificationTask implements TaskKindOfWork<Progress> {
  readonly kind = 'audit-verification';
  readonly consumer = 'verifier';

  constructor(private readonly report: Report) {}

  async step(run: TaskRun<Progress>): Promise<void> {
    let fresh: readonly LogFinding[] = [];
    let checked = 0;
    await run.commit(async (tx, { log }) => {
      if (!log) return { progress: { log: await beginLogVerification(tx) } };
      const page = await verifyLogPage(tx, log, {});
      checked = page.checked;
      fresh = await recordLogBreaks(tx, page.findings);
      if (page.next) return { progress: { log: page.next } };
      await deleteMendedLogBreaks(tx, log.startedAt);
      return { progress: {}, waitSeconds: AGAIN_SECONDS };
    });
    verifiedEventsTotal.inc(checked);
    for (const each of fresh)
      this.report(new AuditLogBroken(run.tenantId, each), `verifying leaf ${each.index} of ${run.tenantId}`);
  }
}
