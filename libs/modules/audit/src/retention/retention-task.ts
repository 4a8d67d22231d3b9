import { newId } from '@holdfast/kernel';
import type { Outcome, TaskKindOfWork, TaskRun } from '@holdfast/tasks';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { hasLegalHold, lockHolds } from '../holds/legal-holds.sql';
import { findPrunable, isLogBeingRead, isPruningSealed, prunePage } from './prunable-leaves.sql';
import { prunedEventsTotal } from './retention-metrics';
import { auditLogPruned } from './retention.events';
import { findKeepDays } from './retention.sql';

/** What is being pruned: the event that says so, the next leaf, and the first that stays. */
export interface RetentionProgress {
  readonly step?: 'seal' | 'prune';
  readonly eventId?: string;
  readonly next?: string;
  readonly to?: string;
}

/** What the retention needs of its process. */
export interface RetentionOptions {
  /** Called before each step: where a test stops the process. */
  readonly onStep?: (step: string) => Promise<void>;
}

const AGAIN_SECONDS = 86_400;
/** Between two looks whether what stood in the way is gone: a hold, a consumer that goes back, a longer retention. */
const WAIT_SECONDS = 3_600;
/** Sealing is some seconds behind; a verification or an export takes minutes. */
const SEAL_SECONDS = 2;
const LEAVES_PER_PAGE = 512;

type Progress = RetentionProgress;

/**
 * Removes, once a day, rows of events that are older than the tenant keeps them. What is going is announced, and only when that
 * event is under a checkpoint itself, the rows go, page by page. Killed at whatever moment, the next worker goes on.
 */
export class RetentionTask implements TaskKindOfWork<Progress> {
  readonly kind = 'audit-retention';
  readonly consumer = 'pruner';

  constructor(private readonly options: RetentionOptions = {}) {}

  async step(run: TaskRun<Progress>): Promise<void> {
    await this.options.onStep?.(run.progress.step ?? 'announce');
    let deleted = 0;
    await run.commit(async (tx, progress) => {
      await lockHolds(tx);
      const keepDays = await findKeepDays(tx);
      if (keepDays === null) return { done: true };
      if (await hasLegalHold(tx)) return { progress, waitSeconds: WAIT_SECONDS };
      if (progress.step === undefined) return announce(tx, keepDays);
      if (progress.step === 'seal') return awaitSeal(tx, progress);
      const page = await prunePage(tx, progress.eventId ?? '', BigInt(progress.next ?? '0'), LEAVES_PER_PAGE);
      deleted = Number(page.deleted);
      return behind(page.nextLeaf, progress);
    });
    prunedEventsTotal.inc(deleted);
  }
}

async function announce(tx: TenantTx, keepDays: number): Promise<Outcome<Progress>> {
  const prunable = await findPrunable(tx, keepDays);
  if (!prunable) return { progress: {}, waitSeconds: AGAIN_SECONDS };
  const { epoch, from, to, size, root } = prunable;
  const event = announcement(
    auditLogPruned,
    { id: newId(), version: 1n },
    { tenantId: tx.tenantId, epoch, prunedTo: String(to), size: String(size), root: root.toString('base64') },
  );
  await tx.announce(event);
  return {
    progress: { step: 'seal', eventId: event.id, next: String(from), to: String(to) },
    waitSeconds: SEAL_SECONDS,
  };
}

/** Whoever began to read the log before would miss the rows and not find the event that says why. */
async function awaitSeal(tx: TenantTx, progress: Progress): Promise<Outcome<Progress>> {
  const isReady = (await isPruningSealed(tx, progress.eventId ?? '')) && !(await isLogBeingRead(tx));
  return isReady ? { progress: { ...progress, step: 'prune' } } : { progress, waitSeconds: SEAL_SECONDS };
}

function behind(nextLeaf: bigint | null, progress: Progress): Outcome<Progress> {
  if (nextLeaf === null) return { progress, waitSeconds: WAIT_SECONDS };
  if (String(nextLeaf) === progress.to) return { progress: {} };
  return { progress: { ...progress, next: String(nextLeaf) } };
}
