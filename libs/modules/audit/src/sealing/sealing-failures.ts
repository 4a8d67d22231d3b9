import { DatabaseUnavailable, OutcomeUnknown } from '@holdfast/database';
import { LogRefused } from './refusals';
import { SealerLeaseLost, SealingStopped } from './sealer-lease.sql';
import { TreeChanged } from './trees.sql';

const OTHERS = [DatabaseUnavailable, OutcomeUnknown, SealerLeaseLost, SealingStopped];

/** Whether reading failed for what was read, as far as can be told: not for the server, and not for the lease. */
export function isAboutRows(error: unknown): boolean {
  return !OTHERS.some((kind) => error instanceof kind);
}

/** Passes on which trees were not as they were read; throws everything else. */
export function treeChanged(error: unknown): TreeChanged {
  if (error instanceof TreeChanged) return error;
  throw error;
}

/** Does work on the rows of one tenant; whatever fails there is that tenant's, and keeps nobody else waiting. */
export async function ofTenant<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof LogRefused ? error : new LogRefused('unreadable', String(error));
  }
}
