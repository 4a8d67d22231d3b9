import type { TenantTx } from '@holdfast/tenancy';
import { partsOfOrigin, type ReadCheckpoint, readCheckpoint, type RootClaim } from './log-claims';
import { listStoredCheckpoints } from './stored-log.sql';
import type { LogProgress, LogTrust } from './log-progress';

/** More than a page of leaves can have: one an hour. */
const CHECKPOINTS_MAX = 10_000;

/** What the first leaf of an epoch says of the one before. */
export interface PreviousTree {
  readonly checkpoint: string;
  readonly kept: string;
}

/** What the first leaf of the next epoch says of this one. */
export function namedByNext(
  { epochs }: Pick<LogProgress, 'epochs'>,
  epoch: number,
): PreviousTree | undefined {
  const next = epochs.find((each) => each.epoch === epoch + 1);
  const entry = next && (JSON.parse(next.entry) as { readonly previous: PreviousTree | null });
  return entry?.previous ?? undefined;
}

/**
 * The last checkpoint of the epoch before `epoch`, where a database that was restored twice has nothing of it: the first leaf of
 * `epoch` names it, and that nothing of it is kept.
 */
export function lostEpoch(
  tenantId: string,
  progress: Pick<LogProgress, 'epochs'>,
  epoch: number,
  known: readonly Buffer[],
): ReadCheckpoint | undefined {
  const named = namedByNext(progress, epoch - 1);
  const checkpoint = named?.kept === '0' ? readCheckpoint(named.checkpoint, known) : undefined;
  if (checkpoint?.isSigned !== true) return undefined;
  const of = partsOfOrigin(checkpoint.origin);
  return of.tenantId === tenantId && of.epoch === epoch - 1 ? checkpoint : undefined;
}

/** Says which epochs are not there. */
export function describeHoles({ epochs }: Pick<LogProgress, 'epochs'>): string[] {
  return epochs.flatMap(({ epoch }, at) => {
    const from = (epochs[at - 1]?.epoch ?? 0) + 1;
    if (epoch === from) return [];
    const which = from < epoch - 1 ? `epochs ${from} to ${epoch - 1} are` : `epoch ${from} is`;
    return [`${which} not there: the first leaf of epoch ${epoch} says that a restore lost it`];
  });
}

/** All that says which root the tree has at a size in this range. */
export async function claimsBetween(
  tx: TenantTx,
  progress: LogProgress,
  { claims = [], known }: LogTrust & { readonly known: readonly Buffer[] },
  range: { readonly above: number; readonly through: number },
): Promise<RootClaim[]> {
  const { epoch } = progress.at;
  const stored = await listStoredCheckpoints(tx, { epoch, above: range.above, limit: CHECKPOINTS_MAX });
  const named = namedByNext(progress, epoch);
  const kept = named && readCheckpoint(named.checkpoint, known);
  const all = [
    ...stored.map(({ size, root }) => ({ epoch, size, root, by: `the checkpoint of size ${size}` })),
    ...(kept
      ? [{ epoch, size: kept.size, root: kept.root, by: `the first leaf of epoch ${epoch + 1}` }]
      : []),
    ...claims.filter((claim) => claim.epoch === epoch),
  ];
  return all.filter(({ size }) => size > range.above && size <= range.through);
}
