import type { Report } from '@holdfast/events';
import type { TaskKindOfWork } from '@holdfast/tasks';
import { RetentionTask } from './retention/retention-task';
import { VerificationTask } from './verification/verification-task';

/** What workers do with the log of a tenant once a day: verify it, and remove events that are older than it keeps them. */
export function dailyAuditTasks(report: Report): readonly TaskKindOfWork<never>[] {
  return [new VerificationTask(report), new RetentionTask()];
}
