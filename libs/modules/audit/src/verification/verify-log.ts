import type { TenantTx } from '@holdfast/tenancy';
import type { LogPage, LogProgress, LogTrust } from './log-progress';
import { listPublicKeys } from './stored-log.sql';
import { verifyEnd } from './verify-end';
import { verifyLeaves } from './verify-leaves';

/**
 * Verifies the next page: some tiles of leaves with the rows of their events, or, behind the last tree, what has no leaf. Reads
 * only, while others write and the sealer seals.
 */
export async function verifyLogPage(tx: TenantTx, progress: LogProgress, trust: LogTrust): Promise<LogPage> {
  if (progress.at.epoch === 0) return verifyEnd(tx, progress, trust);
  const known = await listPublicKeys(tx);
  return verifyLeaves(tx, progress, { ...trust, known });
}
