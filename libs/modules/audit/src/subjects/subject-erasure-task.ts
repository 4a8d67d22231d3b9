import { newId } from '@holdfast/kernel';
import { announcement, listSubjectStores, type TenantTx } from '@holdfast/tenancy';
import type { Outcome, TaskKindOfWork, TaskRun } from '@holdfast/tasks';
import type { Vault } from '@holdfast/vault';
import { countValues, finishSubjectErasure, lockSubjectErasure } from './subject-erasures.sql';
import { subjectErased } from './subjects.events';

/** How far the erasure of a subject is. Each step may be done again. */
export interface SubjectErasureProgress {
  readonly step?: 'keys' | 'values' | 'rewrap' | 'destroy' | 'sweep' | 'elsewhere' | 'finish';
  readonly subjects?: readonly string[];
  readonly orderedAt?: string;
  /** The key of the tenant that is to come. */
  readonly nextKeyId?: string;
  readonly count?: number;
}

/** What an erasure of subjects needs of its process. */
export interface SubjectErasureOptions {
  /** Absent: nothing of a subject that the vault knows is erased. */
  readonly vault: Vault | undefined;
  /** Removes what is held of the subjects outside PostgreSQL; called again until it works. Absent: nothing is. */
  readonly eraseElsewhere?: (tenantId: string, subjects: readonly string[]) => Promise<void>;
  /** Called before each step: where a test stops the process. */
  readonly onStep?: (step: string) => Promise<void>;
}

/** Short transactions: each holds up writers of values of the same tenant. */
const VALUES_AT_A_TIME = 1_000;
const KEYS_AT_A_TIME = 500;
/** Copies are swept by others' tasks, within seconds. */
const SWEEP_SECONDS = 2;

type Progress = SubjectErasureProgress;

/**
 * Erases what events said of a person, and copies of rows that were made before. The tenant gets another key and the subject
 * none; the values go, page by page; the keys of all others are wrapped by the new one, and then the old one is destroyed.
 * The event that says so comes last, when nothing is left. Killed at whatever moment, the next worker goes on.
 */
export class SubjectErasureTask implements TaskKindOfWork<Progress> {
  readonly kind = 'subject-erasure';
  readonly consumer = 'subject-eraser';

  constructor(private readonly options: SubjectErasureOptions) {}

  async step(run: TaskRun<Progress>): Promise<void> {
    const { step = 'begin', subjects = [] } = run.progress;
    await this.options.onStep?.(step);
    if (step === 'elsewhere') await this.options.eraseElsewhere?.(run.tenantId, subjects);
    await run.commit((tx, progress) => this.next(tx, run.id, progress));
  }

  private async next(tx: TenantTx, subject: string, progress: Progress): Promise<Outcome<Progress>> {
    const { step, subjects = [], nextKeyId = '', count = 0 } = progress;
    const { vault } = this.options;
    if (step === undefined) return this.begin(tx, subject);
    if (step === 'sweep') return sweep(tx, progress);
    if (step === 'elsewhere') return { progress: { ...progress, step: 'finish' } };
    if (step === 'finish') return finish(tx, subject, count);
    if (!vault) return withoutVault(tx, progress);
    if (step === 'keys') {
      await vault.erase(tx, subjects, nextKeyId);
      return { progress: { ...progress, step: 'values' } };
    }
    if (step === 'values') {
      const deleted = await vault.deleteValues(tx, subjects, VALUES_AT_A_TIME);
      const next = deleted < VALUES_AT_A_TIME ? 'rewrap' : 'values';
      return { progress: { ...progress, step: next, count: count + deleted } };
    }
    if (step === 'rewrap') {
      const next = (await vault.rewrap(tx, KEYS_AT_A_TIME)) < KEYS_AT_A_TIME ? 'destroy' : 'rewrap';
      return { progress: { ...progress, step: next } };
    }
    // Another erasure may have begun meanwhile, with another key: then there is more to wrap.
    const isDestroyed = await vault.destroyOldKeys(tx);
    return { progress: { ...progress, step: isDestroyed ? 'sweep' : 'rewrap' } };
  }

  private async begin(tx: TenantTx, subject: string): Promise<Outcome<Progress>> {
    const erasure = await lockSubjectErasure(tx, subject);
    if (erasure?.status !== 'erasing') return { done: true };
    const subjects = [subject, ...erasure.related];
    const orderedAt = erasure.requested_at.toISOString();
    return { progress: { step: 'keys', subjects, orderedAt, nextKeyId: newId() } };
  }
}

/** An installation that keeps no values has none to erase; one whose worker lacks the configuration has. */
async function withoutVault(tx: TenantTx, progress: Progress): Promise<Outcome<Progress>> {
  if ((await countValues(tx, progress.subjects ?? [])).values > 0)
    throw new VaultMissing('this worker has no VAULT_KEY to erase values with');
  return { progress: { ...progress, step: 'sweep' } };
}

async function sweep(tx: TenantTx, progress: Progress): Promise<Outcome<Progress>> {
  const { subjects = [], orderedAt = '' } = progress;
  let isSwept = true;
  for (const store of listSubjectStores())
    isSwept = ((await store.sweep?.(tx, subjects, new Date(orderedAt))) ?? true) && isSwept;
  return isSwept
    ? { progress: { ...progress, step: 'elsewhere' } }
    : { progress, waitSeconds: SWEEP_SECONDS };
}

async function finish(tx: TenantTx, subject: string, count: number): Promise<Outcome<Progress>> {
  const erased = await finishSubjectErasure(tx, subject);
  if (erased) {
    const stream = { id: subject, version: erased.stream_version };
    await tx.announce(announcement(subjectErased, stream, { count }));
  }
  return { done: true };
}

/** Values are kept that this process has no keys for. The erasure is tried again, and says so until it works. */
export class VaultMissing extends Error {
  override readonly name = 'VaultMissing';
}
