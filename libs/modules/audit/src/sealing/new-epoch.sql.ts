import { statement, type SystemTx } from '@holdfast/database';
import { HASH_BYTES, TILE_WIDTH } from '@holdfast/tlog';
import { NIL, type NewLeaf } from './growing-tree';
import { PRINTS_LENGTH } from './leaf';
import { TreeChanged, type Tree } from './trees.sql';

const LIST_STALE = statement<Omit<Tree, 'size'> & { size: bigint }>(
  'audit.list_stale_trees',
  `select t.tenant_id as "tenantId", t.epoch, t.lineage, t.size, t.earlier::text, t.later::text,
     t.after_seq as "afterSeq", t.tick
   from audit.trees t
   where t.lineage <> $1
     and (t.tenant_id = '00000000-0000-0000-0000-000000000000'
       or exists (select from events.heads h where h.tenant_id = t.tenant_id))
   order by t.tenant_id
   limit $2`,
);

const READ_TAIL = statement<{
  tile: bigint;
  hashes: Buffer;
  eventIds: string[];
  prints: Buffer;
  seqs: (string | null)[];
}>(
  'audit.read_tail',
  `select t.tile, t.hashes, l.event_ids::text[] as "eventIds", l.prints,
     array(
       select e.seq::text
       from unnest(l.event_ids) with ordinality i (id, place)
       left join events.log e on e.tenant_id = t.tenant_id and e.id = i.id
       order by i.place) as seqs
   from audit.tiles t
   join audit.leaves l on l.tenant_id = t.tenant_id and l.epoch = t.epoch and l.tile = t.tile
   where t.tenant_id = $1 and t.epoch = $2 and t.level = 0 and t.tile >= $3
   order by t.tile
   limit $4`,
);

const DELETE_TILES = statement(
  'audit.delete_tiles_behind',
  'delete from audit.tiles where tenant_id = $1 and epoch = $2 and tile * 256 >= ($3::bigint >> (8 * level))',
);

const CUT_TILES = statement(
  'audit.cut_tiles',
  `update audit.tiles
   set width = ($3::bigint >> (8 * level)) - tile * 256,
     hashes = substring(hashes for (32 * (($3::bigint >> (8 * level)) - tile * 256))::int)
   where tenant_id = $1 and epoch = $2 and width > ($3::bigint >> (8 * level)) - tile * 256`,
);

const DELETE_LEAVES = statement(
  'audit.delete_leaves_behind',
  'delete from audit.leaves where tenant_id = $1 and epoch = $2 and tile * 256 >= $3',
);

const CUT_LEAVES = statement(
  'audit.cut_leaves',
  `update audit.leaves l
   set event_ids = l.event_ids[1:n.kept], prints = substring(l.prints for 32 * n.kept),
     first_seq = s.least, last_seq = s.most,
     high_seq = coalesce(greatest(s.most, (
       select b.high_seq from audit.leaves b where b.tenant_id = $1 and b.epoch = $2 and b.tile = l.tile - 1)), 0)
   from (select ($3::bigint % 256)::int as kept, $3::bigint / 256 as tile) n
   cross join lateral (
     select min(e.seq) as least, max(e.seq) as most
     from audit.leaves o
     cross join lateral unnest(o.event_ids[1:n.kept]) i (id)
     join events.log e on e.tenant_id = $1 and e.id = i.id
     where o.tenant_id = $1 and o.epoch = $2 and o.tile = n.tile
   ) s
   where l.tenant_id = $1 and l.epoch = $2 and l.tile = n.tile`,
);

const BEGIN_EPOCH = statement(
  'audit.begin_epoch',
  `update audit.trees
   set epoch = $4, lineage = $5, size = 0, sealed_at = clock_timestamp()
   where tenant_id = $1 and epoch = $2 and size = $3`,
);

const INSERT_EPOCH = statement(
  'audit.insert_epoch',
  'insert into audit.epochs (tenant_id, epoch, entry) values ($1, $2, $3)',
);

/** Trees that began in another lineage than `lineage`, but of tenants that are being erased. */
export async function listStaleTrees(tx: SystemTx, lineage: number, limit: number): Promise<Tree[]> {
  const rows = await tx.rows(LIST_STALE, [lineage, limit]);
  return rows.map((row) => ({ ...row, size: Number(row.size) }));
}

/** Some of the leaves of a tree from the index `from` on, but never the epoch's own entry. */
export async function readLeavesBehind(
  tx: SystemTx,
  { tenantId, epoch, size }: Tree,
  from: number,
  tiles: number,
): Promise<NewLeaf[]> {
  const rows = await tx.rows(READ_TAIL, [tenantId, epoch, Math.floor(from / TILE_WIDTH), tiles]);
  return rows.flatMap(({ tile, hashes, eventIds, prints, seqs }) =>
    eventIds.flatMap((eventId, at): NewLeaf[] => {
      const index = Number(tile) * TILE_WIDTH + at;
      if (index < from || index >= size || (index === 0 && eventId === NIL)) return [];
      const seq = seqs[at];
      return [
        {
          eventId,
          hash: Buffer.from(hashes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)),
          prints: Buffer.from(prints.subarray(at * PRINTS_LENGTH, (at + 1) * PRINTS_LENGTH)),
          ...(seq != null && { seq: BigInt(seq) }),
        },
      ];
    }),
  );
}

/** Takes the leaves from the index `kept` on out of a tree. */
export async function cutBack(tx: SystemTx, { tenantId, epoch }: Tree, kept: number): Promise<void> {
  const values = [tenantId, epoch, kept];
  await Promise.all([
    tx.execute(DELETE_TILES, values),
    tx.execute(CUT_TILES, values),
    tx.execute(DELETE_LEAVES, values),
    tx.execute(CUT_LEAVES, values),
  ]);
}

/** Begins a tenant's further epoch without a leaf. Throws TreeChanged. */
export async function beginEpoch(
  tx: SystemTx,
  tree: Tree,
  next: { readonly epoch: number; readonly lineage: number; readonly entry: string },
): Promise<void> {
  const begun = await tx.execute(BEGIN_EPOCH, [
    tree.tenantId,
    tree.epoch,
    tree.size,
    next.epoch,
    next.lineage,
  ]);
  if (begun !== 1) throw new TreeChanged([tree.tenantId], 'a tree is not as it was read');
  await tx.execute(INSERT_EPOCH, [tree.tenantId, next.epoch, next.entry]);
}

const ADOPT = statement(
  'audit.adopt_tree',
  'update audit.trees set lineage = $3 where tenant_id = $1 and epoch = $2',
);

/** Has a tree of which nothing was ever signed go on in another lineage. */
export async function adoptTree(tx: SystemTx, { tenantId, epoch }: Tree, lineage: number): Promise<void> {
  await tx.execute(ADOPT, [tenantId, epoch, lineage]);
}
