import type { TenantTx } from '@holdfast/tenancy';
import { partsOfOrigin, type ReadCheckpoint, readCheckpoint, type RootClaim } from './log-claims';
import type { EpochEntry } from '../sealing/leaf';
import { listStoredCheckpoints } from './stored-log.sql';
import type { LogProgress, LogTrust, VerifiedEpoch } from './log-progress';

/** More than a page of leaves can have: one an hour. */
const CHECKPOINTS_MAX = 10_000;

/** What the first leaf of an epoch says of a tree before it. */
export interface PreviousTree {
  /** The epoch that says so. */
  readonly by: number;
  readonly checkpoint: string;
  readonly kept: string;
}

/** What the first leaf of the next epoch that is there says of this one. */
export function namedByNext(
  { epochs }: Pick<LogProgress, 'epochs'>,
  epoch: number,
): PreviousTree | undefined {
  const next = epochs.find((each) => each.epoch > epoch);
  const previous = next && previousOf(next);
  if (!next || !previous) return undefined;
  const { behind, checkpoint, kept } = previous;
  if (next.epoch === epoch + 1) return { by: next.epoch, checkpoint, kept };
  const size = behind === undefined ? undefined : readCheckpoint(behind, [])?.size;
  return behind === undefined ? undefined : { by: next.epoch, checkpoint: behind, kept: String(size) };
}

const previousOf = ({ entry }: VerifiedEpoch): EpochEntry['previous'] =>
  (JSON.parse(entry) as Pick<EpochEntry, 'previous'>).previous;

/**
 * The last checkpoint of the epoch before `epoch`, where a database that was restored twice has nothing of it: the first leaf of
 * `epoch` names it, that nothing of it is kept, and the tree that is there before it.
 */
export function lostEpoch(
  tenantId: string,
  { epochs }: Pick<LogProgress, 'epochs'>,
  epoch: number,
  known: readonly Buffer[],
): ReadCheckpoint | undefined {
  const at = epochs.findIndex((each) => each.epoch === epoch);
  const previous = at < 0 ? undefined : previousOf(epochs[at] as VerifiedEpoch);
  const checkpoint = previous?.kept === '0' ? readCheckpoint(previous.checkpoint, known) : undefined;
  if (checkpoint?.isSigned !== true || !isBehind(epochs[at - 1], previous?.behind)) return undefined;
  const of = partsOfOrigin(checkpoint.origin);
  return of.tenantId === tenantId && of.epoch === epoch - 1 ? checkpoint : undefined;
}

/** Whether a note is of this tree; none is of a tree of which nothing was ever signed. */
const isBehind = (tree: VerifiedEpoch | undefined, note: string | undefined): boolean =>
  note === undefined
    ? (tree?.size ?? 0) === 0
    : partsOfOrigin(readCheckpoint(note, [])?.origin ?? '').epoch === tree?.epoch;

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
      ? [{ epoch, size: kept.size, root: kept.root, by: `the first leaf of epoch ${named?.by}` }]
      : []),
    ...claims.filter((claim) => claim.epoch === epoch),
  ];
  return all.filter(({ size }) => size > range.above && size <= range.through);
}
