import { statement, type Transaction } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { LeafRow } from '../sealing/leaf';

/** An epoch of a tenant's log as it is stored. */
export interface StoredEpoch {
  readonly epoch: number;
  readonly entry: string;
  readonly prunedTo: number;
}

/** A checkpoint as it is stored. */
export interface StoredCheckpoint {
  readonly epoch: number;
  readonly size: number;
  readonly root: Buffer;
  readonly note: string;
}

/** A tile of level 0, and whose leaves its hashes are; null where nothing says it. */
export interface StoredLeaves {
  readonly tile: number;
  readonly hashes: Buffer;
  readonly eventIds: readonly string[] | null;
  readonly prints: Buffer | null;
  readonly highSeq: string | null;
}

/** A tile above the leaves. */
export interface UpperTile {
  readonly level: number;
  readonly tile: number;
  readonly hashes: Buffer;
}

/** How far a tenant's log is sealed. */
export interface StoredTree {
  readonly epoch: number;
  readonly size: number;
  /** All events that this snapshot shows have their leaves. */
  readonly sealed: string;
}

const LIST_EPOCHS = statement<StoredEpoch>(
  'audit.list_stored_epochs',
  `select epoch, entry, pruned_to::float8 as "prunedTo"
   from audit.epochs
   where tenant_id = $1
   order by epoch
   limit 10000`,
);

const FIND_TREE = statement<StoredTree>(
  'audit.find_stored_tree',
  'select epoch, size::float8 as size, earlier::text as sealed from audit.trees where tenant_id = $1',
);

const LIST_CHECKPOINTS = statement<StoredCheckpoint>(
  'audit.list_stored_checkpoints',
  `select epoch, size::float8 as size, root, note
   from audit.checkpoints
   where tenant_id = $1 and epoch = $2 and size > $3
   order by hour
   limit $4`,
);

const FIND_LAST_CHECKPOINT = statement<StoredCheckpoint>(
  'audit.find_last_checkpoint',
  `select epoch, size::float8 as size, root, note
   from audit.checkpoints
   where tenant_id = $1 and epoch = $2
   order by hour desc
   limit 1`,
);

const LIST_KEYS = statement<{ readonly publicKey: Buffer }>(
  'audit.list_public_keys',
  'select public_key as "publicKey" from audit.log_keys order by first_used_at, public_key limit 1000',
);

const LIST_LEAVES = statement<StoredLeaves>(
  'audit.list_stored_leaves',
  `select t.tile::float8 as tile, t.hashes, l.event_ids as "eventIds", l.prints, l.high_seq::text as "highSeq"
   from audit.tiles t
   left join audit.leaves l on l.tenant_id = t.tenant_id and l.epoch = t.epoch and l.tile = t.tile
   where t.tenant_id = $1 and t.epoch = $2 and t.level = 0 and t.tile >= $3
   order by t.tile
   limit $4`,
);

const LIST_UPPER = statement<UpperTile>(
  'audit.list_upper_tiles',
  `select level, tile::float8 as tile, hashes
   from audit.tiles
   where tenant_id = $1 and epoch = $2 and level >= 1 and (level, tile) > ($3, $4)
   order by level, tile
   limit $5`,
);

const FIND_UPPER = statement<{ readonly hashes: Buffer }>(
  'audit.find_upper_tile',
  'select hashes from audit.tiles where tenant_id = $1 and epoch = $2 and level = $3 and tile = $4',
);

/** Tiles of an epoch, hashes in those of its leaves, and the size of its tree if it is the newest. */
export interface TileCounts {
  readonly count: number;
  readonly leaves: number;
  readonly size: number | null;
}

// In one statement with the size: a round of the sealer between two would make them differ.
const COUNT_TILES = statement<TileCounts>(
  'audit.count_stored_tiles',
  `select count(*)::float8 as count, coalesce(sum(width) filter (where level = 0), 0)::float8 as leaves,
     (select t.size::float8 from audit.trees t where t.tenant_id = $1 and t.epoch = $2) as size
   from audit.tiles
   where tenant_id = $1 and epoch = $2`,
);

// The first leaf of a tree is no event: it names the tree before.
const FIND_AGE = statement<{ readonly age: number }>(
  'audit.find_age_of_tree',
  `select extract(epoch from clock_timestamp() - e.occurred_at)::float8 as age
   from audit.leaves l
   join events.log e on e.tenant_id = $1 and e.id = l.event_ids[2]
   where l.tenant_id = $1 and l.epoch = $2 and l.tile = 0`,
);

const LIST_ROWS = statement<LeafRow>(
  'audit.list_leaf_rows',
  `select e.seq::text, e.xid::text, e.tenant_id::text, e.id::text, e.stream_type, e.stream_id::text,
     e.stream_version::text, e.type, e.schema_version, e.actor, e.act, e.correlation_id, e.causation_id, e.traceparent,
     audit.instant_text(e.occurred_at) as occurred_at, e.data::text
   from events.log e
   where e.tenant_id = $1 and e.id = any ($2)
   limit 10000`,
);

const LIST_IDS_BETWEEN = statement<{ readonly id: string; readonly seq: string }>(
  'audit.list_event_ids_between',
  `select e.id, e.seq::text as seq
   from events.log e
   where e.tenant_id = $1 and e.seq >= $2 and e.seq <= $3
   order by e.seq
   limit $4`,
);

// No id counts behind the hashes of its tile. Tiles whose seqs lie beside the event's: a transaction that commits late has its leaf in a later tile than its seq says.
const LIST_LEAVES_AROUND = statement<{ readonly eventIds: readonly string[]; readonly tile: number }>(
  'audit.list_leaves_around',
  `select l.event_ids[1:t.width] as "eventIds", l.tile::float8 as tile
   from audit.leaves l
   join audit.tiles t on t.tenant_id = l.tenant_id and t.epoch = l.epoch and t.level = 0 and t.tile = l.tile
   where l.tenant_id = $1 and (l.epoch, l.tile) >= ($2, $3)
     and l.first_seq <= $5 and l.last_seq >= $4 and l.event_ids && $6
   order by l.epoch, l.tile
   limit 1000`,
);

/** The tenant's epochs, the first one first. */
export function listStoredEpochs(tx: TenantTx): Promise<StoredEpoch[]> {
  return tx.rows(LIST_EPOCHS, [tx.tenantId]);
}

/** How far the tenant's log is sealed; undefined where nothing is. */
export function findStoredTree(tx: TenantTx): Promise<StoredTree | undefined> {
  return tx.row(FIND_TREE, [tx.tenantId]);
}

/** Checkpoints of an epoch that are larger than `above`, the smallest first. */
export function listStoredCheckpoints(
  tx: TenantTx,
  { epoch, above, limit }: { readonly epoch: number; readonly above: number; readonly limit: number },
): Promise<StoredCheckpoint[]> {
  return tx.rows(LIST_CHECKPOINTS, [tx.tenantId, epoch, above, limit]);
}

/** The newest checkpoint of an epoch. */
export function findLastCheckpoint(tx: TenantTx, epoch: number): Promise<StoredCheckpoint | undefined> {
  return tx.row(FIND_LAST_CHECKPOINT, [tx.tenantId, epoch]);
}

/** Seconds since the first event of an epoch; undefined where it is gone. */
export async function findAgeOfTree(tx: TenantTx, epoch: number): Promise<number | undefined> {
  return (await tx.row(FIND_AGE, [tx.tenantId, epoch]))?.age;
}

/** The public keys that have signed checkpoints of the installation, 32 bytes each. */
export async function listPublicKeys(tx: Transaction): Promise<Buffer[]> {
  return (await tx.rows(LIST_KEYS)).map(({ publicKey }) => publicKey);
}

/** Tiles of leaves from one on. */
export function listStoredLeaves(
  tx: TenantTx,
  { epoch, from, limit }: { readonly epoch: number; readonly from: number; readonly limit: number },
): Promise<StoredLeaves[]> {
  return tx.rows(LIST_LEAVES, [tx.tenantId, epoch, from, limit]);
}

/** Tiles above the leaves, level by level, behind the given one. */
export function listUpperTiles(
  tx: TenantTx,
  epoch: number,
  after: { readonly level: number; readonly tile: number },
  limit: number,
): Promise<UpperTile[]> {
  return tx.rows(LIST_UPPER, [tx.tenantId, epoch, after.level, after.tile, limit]);
}

/** The hashes of a tile above the leaves. */
export async function findUpperTile(
  tx: TenantTx,
  epoch: number,
  level: number,
  tile: number,
): Promise<Buffer | undefined> {
  return (await tx.row(FIND_UPPER, [tx.tenantId, epoch, level, tile]))?.hashes;
}

/** How many tiles an epoch has, of all levels, and the size of its tree at that moment if it is the newest. */
export async function countTiles(tx: TenantTx, epoch: number): Promise<TileCounts> {
  return (await tx.row(COUNT_TILES, [tx.tenantId, epoch])) ?? { count: 0, leaves: 0, size: null };
}

/** The rows of events by their ids. Those that are gone are not among them. */
export async function readLeafRows(tx: TenantTx, ids: readonly string[]): Promise<Map<string, LeafRow>> {
  if (ids.length === 0) return new Map();
  const rows = await tx.rows(LIST_ROWS, [tx.tenantId, ids]);
  return new Map(rows.map((row) => [row.id, row]));
}

/** Events behind one seq and up to another, in their order. */
export function listIdsBetween(
  tx: TenantTx,
  after: string,
  through: string,
  limit: number,
): Promise<{ readonly id: string; readonly seq: string }[]> {
  return tx.rows(LIST_IDS_BETWEEN, [tx.tenantId, String(BigInt(after) + 1n), through, limit]);
}

/** Of events with seqs from one to another, those that have leaves in tiles from the given one on. */
export async function withLeaves(
  tx: TenantTx,
  place: { readonly epoch: number; readonly tile: number },
  events: readonly { readonly id: string; readonly seq: string }[],
): Promise<Set<string>> {
  const [first, last] = [events.at(0), events.at(-1)];
  if (!first || !last) return new Set();
  const ids = events.map(({ id }) => id);
  const values = [tx.tenantId, place.epoch, place.tile, first.seq, last.seq, ids];
  const leaves = await tx.rows(LIST_LEAVES_AROUND, values);
  const found = new Set(leaves.flatMap(({ eventIds }) => eventIds));
  return new Set(ids.filter((id) => found.has(id)));
}
