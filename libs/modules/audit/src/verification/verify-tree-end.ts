import type { TenantTx } from '@holdfast/tenancy';
import { TILE_WIDTH } from '@holdfast/tlog';
import { originOf } from '../sealing/log-keys';
import { partsOfOrigin, readCheckpoint } from './log-claims';
import type { LogFinding } from './log-finding';
import {
  countTiles,
  findAgeOfTree,
  findLastCheckpoint,
  listStoredCheckpoints,
  type StoredCheckpoint,
} from './stored-log.sql';
import { lostEpoch, namedByNext } from './tree-claims';
import type { LogProgress, LogTrust } from './log-progress';
import { LAG_SECONDS } from './verify-end';

const CHECKPOINTS_MAX = 200_000;

type Trust = LogTrust & { readonly known: readonly Buffer[] };
type Find = (kind: LogFinding['kind'], message: string, index?: number) => void;

/** What does not hold of a tree as a whole, once its leaves are verified. */
export async function endOfTree(
  tx: TenantTx,
  progress: LogProgress,
  trust: Trust,
  verified: number,
): Promise<LogFinding[]> {
  const { epoch } = progress.at;
  const findings: LogFinding[] = [];
  const find: Find = (kind, message, index) =>
    void findings.push({ kind, epoch, ...(index === undefined ? {} : { index }), message });
  const size = progress.epochs.find((each) => each.epoch === epoch)?.size ?? 0;
  if (verified < size)
    find('cut', `the tiles end at leaf ${verified}, and the tree has ${size} leaves`, verified);
  checkEpochs(tx.tenantId, progress, trust, find);
  await checkSignatures(tx, progress, trust, find);
  const named = namedByNext(progress, epoch);
  const lost = named && readCheckpoint(named.checkpoint, trust.known)?.size;
  for (const claim of trust.claims ?? []) {
    // A restore lost leaves, and the next epoch says so in its first leaf.
    if (claim.epoch === epoch && claim.size > size && !(lost !== undefined && claim.size <= lost))
      find('cut', `${claim.by} has ${claim.size} leaves: those from ${size} on are gone`, size);
  }
  const tiles = await countTiles(tx, epoch);
  if (size > 0 && (tiles.leaves !== (tiles.size ?? size) || tiles.count !== expectedTiles(tiles.leaves)))
    find('tile', 'there are more or fewer tiles than a tree of this size has');
  return findings;
}

/** Counted level by level: the tiles of a tree of a billion leaves are too many to list. */
function expectedTiles(size: number): number {
  let count = 0;
  for (let hashes = size; hashes > 0; hashes = Math.floor(hashes / TILE_WIDTH))
    count += Math.ceil(hashes / TILE_WIDTH);
  return count;
}

/** That the epochs are counted without a gap, but for what restores lost, and each continues the one before. */
function checkEpochs(tenantId: string, progress: LogProgress, { known }: Trust, find: Find): void {
  const { at, epochs } = progress;
  const position = epochs.findIndex(({ epoch }) => epoch === at.epoch);
  const due = (epochs[position - 1]?.epoch ?? 0) + 1;
  if (at.epoch !== due && !lostEpoch(tenantId, progress, at.epoch, known))
    find('epoch', `epoch ${due} is not there`);
  const named = namedByNext(progress, at.epoch);
  const next = epochs[position + 1]?.epoch;
  const size = epochs[position]?.size ?? 0;
  // Behind a hole a tree is not named of which nothing was ever signed.
  if (next === undefined || (!named && next > at.epoch + 1 && size === 0)) return;
  if (!named) return find('epoch', `the first leaf of epoch ${next} names no checkpoint of this one`);
  if (Number(named.kept) !== size)
    find('epoch', `epoch ${next} continues this one from ${named.kept} leaves on, and it has ${size}`, size);
  const checkpoint = readCheckpoint(named.checkpoint, known);
  const { tenantId: ofTenant, epoch } = partsOfOrigin(checkpoint?.origin ?? '');
  if (checkpoint?.isSigned !== true || ofTenant !== tenantId || epoch !== at.epoch)
    find('signature', `the checkpoint that the first leaf of epoch ${next} names is not one of this log`);
  return undefined;
}

async function checkSignatures(tx: TenantTx, progress: LogProgress, trust: Trust, find: Find): Promise<void> {
  const { epoch } = progress.at;
  const stored = await listStoredCheckpoints(tx, { epoch, above: 0, limit: CHECKPOINTS_MAX });
  for (const each of stored) checkNote(tx.tenantId, each, trust, find);
  const size = progress.epochs.find((each) => each.epoch === epoch)?.size ?? 0;
  if (size > 0 && stored.length === 0) {
    // Leaves are written before they are signed: a tree that has just begun waits as its events have.
    const age = await findAgeOfTree(tx, epoch);
    if (age !== undefined && Math.abs(age) <= (trust.lagSeconds ?? LAG_SECONDS)) return;
    find('signature', 'the tree has no checkpoint', 0);
  }
  if (trust.publicKeys && size > 0 && !(await isVouched(tx, progress, trust.publicKeys, epoch)))
    find('signature', 'neither a key that was given nor a tree behind it vouches for this tree', size - 1);
}

/**
 * Whether a given key signed the newest checkpoint of a tree, or the next tree, which has to be vouched for itself, names a root in its
 * first leaf that covers what there is. A root that is named for leaves which a restore has lost covers nothing.
 */
async function isVouched(
  tx: TenantTx,
  progress: LogProgress,
  publicKeys: readonly Buffer[],
  from: number,
): Promise<boolean> {
  for (const { epoch, size } of progress.epochs.filter((each) => each.epoch >= from)) {
    const newest = await findLastCheckpoint(tx, epoch);
    if (!newest) return false;
    if (readCheckpoint(newest.note, publicKeys)?.isSigned === true) return true;
    const named = namedByNext(progress, epoch);
    const covered = named && readCheckpoint(named.checkpoint, publicKeys)?.size;
    if (covered === undefined || covered !== size) return false;
  }
  return false;
}

/** That a stored checkpoint is what its columns say, and is signed by a key of the log. */
function checkNote(
  tenantId: string,
  { epoch, size, root, note }: StoredCheckpoint,
  { known, publicKeys = [] }: Trust,
  find: Find,
): void {
  const name = `the checkpoint of size ${size}`;
  const checkpoint = readCheckpoint(note, [
    ...known,
    ...publicKeys.filter((key) => !known.some((each) => each.equals(key))),
  ]);
  if (!checkpoint) return find('signature', `${name} cannot be read`, size - 1);
  const { log } = partsOfOrigin(checkpoint.origin);
  const isItsOwn = checkpoint.origin === originOf(log, { tenantId, epoch });
  if (!isItsOwn || checkpoint.size !== size || !checkpoint.root.equals(root))
    find('signature', `${name} is not what its columns say`, size - 1);
  if (checkpoint.isSigned !== true) find('signature', `${name} is not signed by a key of the log`, size - 1);
  return undefined;
}
