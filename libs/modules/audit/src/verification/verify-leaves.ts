import type { TenantTx } from '@holdfast/tenancy';
import { Frontier, HASH_BYTES, leafHash, TILE_WIDTH } from '@holdfast/tlog';
import { differingFields, eventEntry, fieldPrints, type LeafRow } from '../sealing/leaf';
import { endOfTree } from './verify-tree-end';
import type { RootClaim } from './log-claims';
import type { LogFinding } from './log-finding';
import { type LogLeaf, type LogTile, readWindow } from './log-window';
import { claimsBetween } from './tree-claims';
import { TileParents } from './tile-parents';
import { listStoredLeaves } from './stored-log.sql';
import { findVersionGaps, type VersionGaps } from './version-gaps.query';
import { judgeLeafless } from './verify-end';
import { readPruningNotice } from './pruning-notice';
import { frontierOf, type LogPage, type LogProgress, type LogTrust, type MissingRange } from './log-progress';

/** Tiles of a page: two thousand events, some 100 ms. */
const TILES = 8;
/** Of each kind so many are kept from page to page: a log that has more is not mended one by one. */
const KEPT_MAX = 1_000;

/** What a page of leaves is verified with. */
export type LeafTrust = LogTrust & { readonly known: readonly Buffer[] };

/** Verifies the next tiles of the epoch that the progress is at. */
export async function verifyLeaves(tx: TenantTx, progress: LogProgress, trust: LeafTrust): Promise<LogPage> {
  const { at } = progress;
  const size = progress.epochs.find(({ epoch }) => epoch === at.epoch)?.size ?? 0;
  const window = await readWindow(tx, at, TILES);
  const page = new LeavesPage(progress, window.leafless);
  const end = Math.min(size, (at.tile + window.tiles.length) * TILE_WIDTH);
  const claims = await claimsBetween(tx, progress, trust, { above: page.frontier.size, through: end });
  const parents = new TileParents(tx, at.epoch);
  for (const tile of window.tiles) {
    const isWhole = page.takeTile(tile, size, claims);
    if (!isWhole) break;
    page.add(await parents.check(tile));
    page.add(await compareEarlier(trust, at.epoch, tile, size));
  }
  page.addGaps(await findVersionGaps(tx, at.epoch, page.intact));
  page.endWindow(trust);
  const isThrough = page.frontier.size >= size || page.isBroken || window.tiles.length === 0;
  if (!isThrough && window.next) return page.page({ ...at, ...window.next });
  page.add(await endOfTree(tx, progress, trust, page.frontier.size));
  const position = progress.epochs.findIndex(({ epoch }) => epoch === at.epoch);
  const epoch = progress.epochs[position + 1]?.epoch ?? 0;
  return page.page({ epoch, tile: 0, seq: window.seq }, true);
}

/** The leaves of the page that the progress is at, without their rows. */
export async function listPageLeaves(
  tx: TenantTx,
  { at }: LogProgress,
): Promise<{ readonly index: number; readonly eventId: string }[]> {
  const stored = await listStoredLeaves(tx, { epoch: at.epoch, from: at.tile, limit: TILES });
  const leaves = stored.flatMap(({ tile, eventIds }) =>
    (eventIds ?? []).map((eventId, place) => ({ index: tile * TILE_WIDTH + place, eventId })),
  );
  return leaves.filter(({ index }) => index > 0);
}

/** What is found in one page, and what goes on to the next. */
class LeavesPage {
  readonly findings: LogFinding[] = [];
  readonly frontier: Frontier;
  readonly intact: { readonly index: number; readonly row: LeafRow }[] = [];
  isBroken = false;
  private sound: LogProgress['sound'];
  private readonly missing: MissingRange[];
  private readonly gone: LogLeaf[] = [];
  private readonly changed: string[];
  private readonly prunedTo: Record<string, number>;
  private readonly epoch: number;
  private checked = 0;
  private goneCount: number;
  private late: number;
  private isOfPruned: boolean;

  constructor(
    private readonly progress: LogProgress,
    private readonly leafless: readonly LeafRow[],
  ) {
    this.frontier = frontierOf(progress);
    this.sound = progress.sound;
    this.missing = [...progress.missing];
    this.changed = [...progress.changed];
    this.prunedTo = { ...progress.prunedTo };
    this.epoch = progress.at.epoch;
    this.goneCount = progress.gone;
    this.late = progress.late;
    this.isOfPruned = progress.isOfPruned;
  }

  add(findings: readonly LogFinding[]): void {
    this.findings.push(...findings);
  }

  addGaps({ findings, late, isOfPruned }: VersionGaps): void {
    this.add(findings);
    this.late += late;
    this.isOfPruned ||= isOfPruned;
  }

  find(kind: LogFinding['kind'], message: string, index: number, more: Partial<LogFinding> = {}): void {
    this.findings.push({ kind, epoch: this.epoch, index, ...more, message });
  }

  /** Verifies a tile and its leaves; false where the tree cannot be followed any further. */
  takeTile(tile: LogTile, size: number, claims: readonly RootClaim[]): boolean {
    const first = tile.tile * TILE_WIDTH;
    const width = Math.min(TILE_WIDTH, size - first);
    if (width <= 0) return false;
    if (first !== this.frontier.size || tile.hashes.length < width) {
      this.isBroken = true;
      this.find('tile', `the hashes from leaf ${this.frontier.size} on are gone`, this.frontier.size);
      return false;
    }
    if (!tile.isEven) this.find('tile', 'there are more or fewer events than hashes in its tile', first);
    const hashes = tile.hashes.slice(0, width);
    if (first === 0) this.takeEntry(hashes[0] as Buffer);
    for (const leaf of tile.leaves) if (leaf.index < first + width) this.takeLeaf(leaf, hashes, first);
    for (const [at, hashed] of hashes.entries()) this.append(hashed, tile.leaves, first + at, claims);
    return true;
  }

  private takeEntry(hashed: Buffer): void {
    const entry = this.progress.epochs.find(({ epoch }) => epoch === this.epoch)?.entry ?? '';
    if (!leafHash(Buffer.from(entry)).equals(hashed))
      this.find('epoch', 'the first leaf is not the entry of this epoch', 0);
  }

  private append(
    hashed: Buffer,
    leaves: readonly LogLeaf[],
    index: number,
    claims: readonly RootClaim[],
  ): void {
    // Leaf 0 is no event's.
    if (this.frontier.size === Math.max(this.sound.size, 1)) {
      const leaf = leaves.find((each) => each.index === index);
      this.sound = leaf ? { size: this.sound.size, eventId: leaf.eventId } : { size: this.sound.size };
    }
    this.frontier.append(hashed);
    const ofSize = claims.filter(({ size }) => size === this.frontier.size);
    if (ofSize.length === 0) return;
    const root = this.frontier.root();
    const wrong = ofSize.filter((claim) => !claim.root.equals(root));
    for (const { by } of wrong) {
      const { size, eventId } = this.sound;
      const message = `${by}: its root is not that of these leaves; one of ${size} to ${index} was changed`;
      this.find('root', message, size, eventId === undefined ? {} : { eventId });
    }
    if (wrong.length === 0) this.sound = { size: this.frontier.size };
  }

  private takeLeaf(leaf: LogLeaf, hashes: readonly Buffer[], first: number): void {
    const { index, eventId, prints, row } = leaf;
    if (!row) return void this.gone.push(leaf);
    this.checked += 1;
    const own = leafHash(Buffer.from(eventEntry(row)));
    const fields = differingFields(fieldPrints(row), prints);
    if (!own.equals(hashes[index - first] as Buffer)) {
      if (this.changed.length < KEPT_MAX) this.changed.push(eventId);
      return this.findChange(leaf, fields, hashes.findIndex((each) => each.equals(own)) + first);
    }
    if (fields.length > 0)
      this.find('prints', `its prints were changed: ${fields.join(', ')}`, index, { eventId, fields });
    this.intact.push({ index, row });
    if (row.type === 'audit.log.pruned') this.notePruned(index, row);
    return undefined;
  }

  private findChange({ index, eventId }: LogLeaf, fields: readonly string[], belongs: number): void {
    if (belongs >= this.frontier.size)
      return this.find('reordered', `here stands the event of leaf ${belongs}`, index, { eventId });
    if (fields.length === 0) {
      const message = 'the hash in the tile is not that of the event, of which no field was changed';
      return this.find('tile', message, index, { eventId });
    }
    return this.find('changed', `the event was changed: ${fields.join(', ')}`, index, { eventId, fields });
  }

  /** A sealed event says that rows were pruned: those before it, and no others. */
  private notePruned(index: number, { id, actor, act, tenant_id: tenantId, data }: LeafRow): void {
    const notice = readPruningNotice({ actor, act, tenantId }, JSON.parse(data));
    if (notice === 'foreign') return undefined;
    if (!notice) {
      const message = 'it says of leaves that they were pruned, and is not the retention’s';
      return this.find('pruned', message, index, { eventId: id });
    }
    const { epoch, prunedTo } = notice;
    const ofEpoch = this.progress.epochs.find((each) => each.epoch === epoch);
    const end = epoch === this.epoch ? index : (ofEpoch?.size ?? 0);
    if (epoch > this.epoch || prunedTo > end) {
      const message = 'it says of leaves that they were pruned which do not stand before it';
      return this.find('pruned', message, index, { eventId: id });
    }
    this.prunedTo[epoch] = Math.max(this.prunedTo[epoch] ?? 0, prunedTo);
    return undefined;
  }

  /** Leaves without a row and rows without a leaf: where they differ in one field, that is what was changed. */
  endWindow(trust: LogTrust): void {
    const strays = this.leafless.filter(({ id }) => !this.changed.includes(id));
    for (const leaf of this.gone) {
      const at = strays.findIndex((row) => differingFields(fieldPrints(row), leaf.prints).length === 1);
      const [row] = at < 0 ? [] : strays.splice(at, 1);
      if (row) this.findRenamed(leaf, row);
      else this.noteMissing(leaf);
    }
    this.add(strays.flatMap((row) => judgeLeafless(this.progress, row, trust) ?? []));
  }

  private findRenamed({ index, eventId, prints }: LogLeaf, row: LeafRow): void {
    const fields = differingFields(fieldPrints(row), prints);
    this.find('changed', `the event was changed: ${fields.join(', ')}, which is ${row.id}`, index, {
      eventId,
      fields,
    });
  }

  private noteMissing({ index, eventId }: LogLeaf): void {
    this.goneCount += 1;
    const last = this.missing.at(-1);
    if (last?.epoch === this.epoch && last.to === index - 1)
      this.missing[this.missing.length - 1] = { ...last, to: index };
    else this.missing.push({ epoch: this.epoch, from: index, to: index, eventId });
    const first = this.missing.findIndex(({ epoch }) => epoch === this.epoch);
    // Behind the first, the last ones say most: what is pruned comes before what may not be gone.
    if (this.missing.length - first > KEPT_MAX) this.missing.splice(first + 1, 1);
  }

  page(at: LogProgress['at'], isNewTree = false): LogPage {
    const { size, hashes } = isNewTree ? Frontier.empty() : this.frontier;
    const frontier = { size, hashes: hashes.map((each) => each.toString('base64')) };
    const { missing, changed, prunedTo, goneCount: gone, late, isOfPruned } = this;
    const sound = isNewTree ? { size: 0 } : this.sound;
    const next = {
      ...this.progress,
      at,
      frontier,
      sound,
      missing,
      changed,
      prunedTo,
      gone,
      late,
      isOfPruned,
    };
    return { checked: this.checked, findings: this.findings, next };
  }
}

/** The first leaf that another log had here; those behind it mean nothing more. */
async function compareEarlier(
  { earlier }: LogTrust,
  epoch: number,
  { tile, hashes }: LogTile,
  size: number,
): Promise<LogFinding[]> {
  const before = await earlier?.tile(epoch, tile);
  if (!before) return [];
  const count = Math.min(before.hashes.length / HASH_BYTES, hashes.length, size - tile * TILE_WIDTH);
  for (let at = 0; at < count; at += 1) {
    if (hashes[at]?.equals(before.hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES))) continue;
    const eventId = before.eventIds[at] ?? '';
    const message = 'the earlier bundle has another leaf here: the log was made anew from here on';
    return [{ kind: 'rebuilt', epoch, index: tile * TILE_WIDTH + at, eventId, message }];
  }
  return [];
}
