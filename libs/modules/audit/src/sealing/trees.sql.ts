import { statement, type SystemTx } from '@holdfast/database';
import { type HashTileId, type Tile, TILE_WIDTH } from '@holdfast/tlog';
import { type LeavesPart, tilePlace } from './growing-tree';

/** How far a tenant's log is sealed: a row of `audit.trees`. */
export interface Tree {
  readonly tenantId: string;
  readonly epoch: number;
  readonly lineage: number;
  readonly size: number;
  readonly earlier: string;
  readonly later: string | null;
  readonly afterSeq: bigint;
  readonly tick: bigint;
}

/** A tenant whose events have not all their leaves. */
export interface DueTenant {
  readonly tenantId: string;
  /** The newest tick that holds an event of the tenant. */
  readonly headTick: bigint;
  readonly tree: Tree | undefined;
}

/** What a round does to a tree. */
export interface TreeChange {
  readonly before: Tree;
  readonly after: Tree;
  readonly tiles: readonly Tile[];
  readonly leaves: readonly LeavesPart[];
}

/** A tree that begins: its row, and the entry of its first leaf. */
export interface BegunTree {
  readonly tree: Tree;
  readonly entry: string;
}

/** Which tree. */
export interface TreeKey {
  readonly tenantId: string;
  readonly epoch: number;
}

/** What a tree grows from: the hashes of its edge, and the greatest seq of its leaves. */
export interface StoredEdge {
  readonly tiles: ReadonlyMap<string, Buffer>;
  readonly highSeq: bigint;
}

/** A tree is not as the round has read it. With the fence this means that something else writes in these tables. */
export class TreeChanged extends Error {
  override readonly name = 'TreeChanged';

  constructor(
    readonly tenantIds: readonly string[],
    message: string,
  ) {
    super(`${message}: ${tenantIds.join(', ')}`);
  }
}

type TreeRow = Omit<Tree, 'size'> & { readonly size: bigint };
type DueRow = { readonly headTick: bigint } & { readonly tenantId: string } & {
  readonly [Key in Exclude<keyof TreeRow, 'tenantId' | 'later'>]: TreeRow[Key] | null;
} & { readonly later: string | null };

const NEWEST_TICK = statement<{ id: bigint; snapshot: string }>(
  'audit.find_newest_tick',
  'select t.id, t.snapshot::text from events.ticks t order by t.id desc limit 1',
);

const LIST_DUE = statement<DueRow>(
  'audit.list_due_tenants',
  `select h.tenant_id as "tenantId", h.tick as "headTick", t.epoch, t.lineage, t.size, t.earlier::text, t.later::text,
     t.after_seq as "afterSeq", t.tick
   from events.heads h
   left join audit.trees t on t.tenant_id = h.tenant_id
   where (t.tenant_id is null or t.later is not null
       or (t.tick < h.tick and t.sealed_at < clock_timestamp() - make_interval(secs => $1::int / 1000.0)))
     and h.tenant_id <> all ($2::uuid[])
     and coalesce(t.lineage = $3, true)
     and not exists (select from unnest($5::uuid[], $6::bigint[]) v (tenant_id, tick) where v.tenant_id = h.tenant_id and v.tick = h.tick)
   order by t.sealed_at nulls first, h.tenant_id
   limit $4`,
);

const FIND_RESTING = statement<{ rests: boolean }>(
  'audit.find_resting_tenant',
  `select exists (
     select
     from events.heads h
     join audit.trees t on t.tenant_id = h.tenant_id
     where t.tick < h.tick and t.lineage = $2 and h.tenant_id <> all ($1::uuid[])
   ) as rests`,
);

const LIST_TREES = statement<TreeRow & { signed: bigint | null }>(
  'audit.list_trees',
  `select t.tenant_id as "tenantId", t.epoch, t.lineage, t.size, t.earlier::text, t.later::text,
     t.after_seq as "afterSeq", t.tick, c.size as signed
   from audit.trees t
   left join lateral (
     select c.size from audit.checkpoints c where c.tenant_id = t.tenant_id and c.epoch = t.epoch order by c.hour desc limit 1
   ) c on true
   where t.tenant_id > $1
     and (t.tenant_id = '00000000-0000-0000-0000-000000000000'
       or exists (select from events.heads h where h.tenant_id = t.tenant_id))
   order by t.tenant_id
   limit $2`,
);

const FIND_TREE = statement<TreeRow>(
  'audit.find_tree',
  `select t.tenant_id as "tenantId", t.epoch, t.lineage, t.size, t.earlier::text, t.later::text,
     t.after_seq as "afterSeq", t.tick
   from audit.trees t
   where t.tenant_id = $1`,
);

const INSERT_TREES = statement<{ tenantId: string }>(
  'audit.insert_trees',
  `insert into audit.trees (tenant_id, epoch, lineage, size, earlier, tick)
   select n.tenant_id, n.epoch, n.lineage, n.size, n.earlier, n.tick
   from unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[], $5::pg_snapshot[], $6::bigint[])
     n (tenant_id, epoch, lineage, size, earlier, tick)
   on conflict (tenant_id) do nothing
   returning tenant_id as "tenantId"`,
);

const INSERT_EPOCHS = statement<{ tenantId: string }>(
  'audit.insert_epochs',
  `insert into audit.epochs (tenant_id, epoch, entry)
   select n.tenant_id, n.epoch, n.entry from unnest($1::uuid[], $2::int[], $3::text[]) n (tenant_id, epoch, entry)
   on conflict (tenant_id, epoch) do nothing
   returning tenant_id as "tenantId"`,
);

const UPDATE_TREES = statement<{ tenantId: string }>(
  'audit.update_trees',
  `update audit.trees t
   set size = n.size, earlier = n.earlier, later = n.later, after_seq = n.after_seq, tick = n.tick,
     sealed_at = clock_timestamp()
   from unnest($1::uuid[], $2::int[], $3::bigint[], $4::bigint[], $5::pg_snapshot[], $6::pg_snapshot[], $7::bigint[], $8::bigint[])
     n (tenant_id, epoch, old_size, size, earlier, later, after_seq, tick)
   where t.tenant_id = n.tenant_id and t.epoch = n.epoch and t.size = n.old_size
   returning t.tenant_id as "tenantId"`,
);

const UPSERT_TILES = statement(
  'audit.upsert_tiles',
  `insert into audit.tiles (tenant_id, epoch, level, tile, width, hashes)
   select n.tenant_id, n.epoch, n.level, n.tile, length(n.hashes) / 32, n.hashes
   from unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[], $5::bytea[]) n (tenant_id, epoch, level, tile, hashes)
   on conflict (tenant_id, epoch, level, tile) do update
   set width = excluded.width, hashes = excluded.hashes`,
);

const APPEND_LEAVES = statement(
  'audit.append_leaves',
  `insert into audit.leaves as l (tenant_id, epoch, tile, event_ids, prints, first_seq, last_seq, high_seq)
   select n.tenant_id, n.epoch, n.tile, n.event_ids::uuid[], n.prints, n.first_seq, n.last_seq, n.high_seq
   from unnest($1::uuid[], $2::int[], $3::bigint[], $4::text[], $5::bytea[], $6::bigint[], $7::bigint[], $8::bigint[])
     n (tenant_id, epoch, tile, event_ids, prints, first_seq, last_seq, high_seq)
   on conflict (tenant_id, epoch, tile) do update
   set event_ids = l.event_ids || excluded.event_ids, prints = l.prints || excluded.prints,
     first_seq = least(l.first_seq, excluded.first_seq), last_seq = greatest(l.last_seq, excluded.last_seq),
     high_seq = greatest(l.high_seq, excluded.high_seq)`,
);

const READ_TILES = statement<TreeKey & { level: number; tile: bigint; hashes: Buffer }>(
  'audit.read_tiles',
  `select t.tenant_id as "tenantId", t.epoch, t.level, t.tile, t.hashes
   from unnest($1::uuid[], $2::int[], $3::int[], $4::bigint[]) n (tenant_id, epoch, level, tile)
   join audit.tiles t on t.tenant_id = n.tenant_id and t.epoch = n.epoch and t.level = n.level and t.tile = n.tile`,
);

const READ_HIGH_SEQS = statement<TreeKey & { highSeq: bigint }>(
  'audit.read_high_seqs',
  `select l.tenant_id as "tenantId", l.epoch, l.high_seq as "highSeq"
   from unnest($1::uuid[], $2::int[], $3::bigint[]) n (tenant_id, epoch, tile)
   join audit.leaves l on l.tenant_id = n.tenant_id and l.epoch = n.epoch and l.tile = n.tile`,
);

/** The newest tick. Throws where there is none, not even the beginning. */
export async function getNewestTick(tx: SystemTx): Promise<{ id: bigint; snapshot: string }> {
  const tick = await tx.row(NEWEST_TICK);
  if (!tick) throw new Error('the log has no tick, not even its beginning');
  return tick;
}

/** Tenants that are due, the one that has waited longest first; those that were sealed within `restMs` only if cut short. */
export async function listDueTenants(
  tx: SystemTx,
  asked: {
    readonly restMs: number;
    readonly except: readonly string[];
    readonly lineage: number;
    readonly limit: number;
    /** Tenants that had no event up to a tick: those who were erased. */
    readonly vacant: ReadonlyMap<string, bigint>;
  },
): Promise<DueTenant[]> {
  const { restMs, except, lineage, limit, vacant } = asked;
  const rows = await tx.rows(LIST_DUE, [
    restMs,
    except,
    lineage,
    limit,
    [...vacant.keys()],
    [...vacant.values()],
  ]);
  return rows.map((row) => ({
    tenantId: row.tenantId,
    headTick: row.headTick,
    tree: row.epoch === null ? undefined : treeOf(row as TreeRow),
  }));
}

/** Whether a tenant will be due once it has rested. */
export async function hasResting(tx: SystemTx, except: readonly string[], lineage: number): Promise<boolean> {
  return (await tx.row(FIND_RESTING, [except, lineage]))?.rests ?? false;
}

/**
 * Trees behind `afterTenant`, in their order, with the size of their newest stored checkpoint. Not those of tenants that are being
 * erased, whose newest tick goes first.
 */
export async function listTrees(
  tx: SystemTx,
  afterTenant: string,
  limit: number,
): Promise<{ readonly tree: Tree; readonly signed: number | undefined }[]> {
  const rows = await tx.rows(LIST_TREES, [afterTenant, limit]);
  return rows.map((row) => ({
    tree: treeOf(row),
    signed: row.signed === null ? undefined : Number(row.signed),
  }));
}

/** The tree of a tenant. */
export async function findTree(tx: SystemTx, tenantId: string): Promise<Tree | undefined> {
  const row = await tx.row(FIND_TREE, [tenantId]);
  return row && treeOf(row);
}

function treeOf({ tenantId, epoch, lineage, size, earlier, later, afterSeq, tick }: TreeRow): Tree {
  return { tenantId, epoch, lineage, size: Number(size), earlier, later, afterSeq, tick };
}

/** Creates trees without a leaf, and what their first leaves will say. Throws TreeChanged where one is there already. */
export async function insertTrees(tx: SystemTx, begun: readonly BegunTree[]): Promise<void> {
  if (begun.length === 0) return;
  const trees = begun.map(({ tree }) => tree);
  const ids = trees.map(({ tenantId }) => tenantId);
  const epochs = trees.map(({ epoch }) => epoch);
  const inserted = tx.rows(INSERT_TREES, [
    ids,
    epochs,
    trees.map(({ lineage }) => lineage),
    trees.map(({ size }) => size),
    trees.map(({ earlier }) => earlier),
    trees.map(({ tick }) => tick),
  ]);
  const named = tx.rows(INSERT_EPOCHS, [ids, epochs, begun.map(({ entry }) => entry)]);
  assertAll(ids, await inserted, 'a tree was there already');
  assertAll(ids, await named, 'an epoch was there without its tree');
}

function assertAll(
  tenantIds: readonly string[],
  done: readonly { readonly tenantId: string }[],
  message: string,
): void {
  const ids = new Set(done.map(({ tenantId }) => tenantId));
  const left = tenantIds.filter((tenantId) => !ids.has(tenantId));
  if (left.length > 0) throw new TreeChanged(left, message);
}

/** Writes what a round does to trees. Throws TreeChanged where one is not as it was read. */
export async function writeChanges(tx: SystemTx, changes: readonly TreeChange[]): Promise<void> {
  if (changes.length === 0) return;
  const updated = tx.rows(UPDATE_TREES, [
    changes.map(({ before }) => before.tenantId),
    changes.map(({ before }) => before.epoch),
    changes.map(({ before }) => before.size),
    changes.map(({ after }) => after.size),
    changes.map(({ after }) => after.earlier),
    changes.map(({ after }) => after.later),
    changes.map(({ after }) => after.afterSeq),
    changes.map(({ after }) => after.tick),
  ]);
  const tiles = changes.flatMap(({ after, tiles: changed }) =>
    changed.map((tile) => ({ ...after, ...tile })),
  );
  const parts = changes.flatMap(({ after, leaves }) => leaves.map((part) => ({ ...after, ...part })));
  if (tiles.length > 0) {
    void tx.execute(UPSERT_TILES, [
      tiles.map(({ tenantId }) => tenantId),
      tiles.map(({ epoch }) => epoch),
      tiles.map(({ level }) => level),
      tiles.map(({ index }) => index),
      tiles.map(({ hashes }) => hashes),
    ]);
    void tx.execute(APPEND_LEAVES, [
      parts.map(({ tenantId }) => tenantId),
      parts.map(({ epoch }) => epoch),
      parts.map(({ tile }) => tile),
      parts.map(({ eventIds }) => `{${eventIds.join(',')}}`),
      parts.map(({ prints }) => prints),
      parts.map(({ firstSeq }) => firstSeq),
      parts.map(({ lastSeq }) => lastSeq),
      parts.map(({ highSeq }) => highSeq),
    ]);
  }
  const ids = changes.map(({ before }) => before.tenantId);
  assertAll(ids, await updated, 'a tree is not as it was read');
}

/** Which tree, as maps of trees are keyed. */
export const treeName = ({ tenantId, epoch }: TreeKey): string => `${tenantId}/${epoch}`;

/** Reads tiles of many trees at once: by tree, by place. Those that are not there are not in the answer. */
export async function readTiles(
  tx: SystemTx,
  wanted: readonly {
    readonly tree: TreeKey;
    readonly tiles: readonly Pick<HashTileId, 'level' | 'index'>[];
  }[],
): Promise<ReadonlyMap<string, ReadonlyMap<string, Buffer>>> {
  const each = wanted.flatMap(({ tree, tiles }) =>
    tiles.map(({ level, index }) => ({ ...tree, level, index })),
  );
  const rows = await tx.rows(READ_TILES, [
    each.map(({ tenantId }) => tenantId),
    each.map(({ epoch }) => epoch),
    each.map(({ level }) => level),
    each.map(({ index }) => index),
  ]);
  const found = new Map<string, Map<string, Buffer>>();
  for (const row of rows) {
    const name = treeName(row);
    const tiles = found.get(name) ?? new Map<string, Buffer>();
    tiles.set(tilePlace({ level: row.level, index: Number(row.tile) }), row.hashes);
    found.set(name, tiles);
  }
  return found;
}

/** The greatest seq of each tree's leaves, by tree. */
export async function readHighSeqs(
  tx: SystemTx,
  trees: readonly (TreeKey & { readonly size: number })[],
): Promise<ReadonlyMap<string, bigint>> {
  const rows = await tx.rows(READ_HIGH_SEQS, [
    trees.map(({ tenantId }) => tenantId),
    trees.map(({ epoch }) => epoch),
    trees.map(({ size }) => Math.floor(Math.max(0, size - 1) / TILE_WIDTH)),
  ]);
  return new Map(rows.map((row) => [treeName(row), row.highSeq]));
}
