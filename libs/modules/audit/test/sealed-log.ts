import { leafHash, openNote, parseCheckpoint, rootFromTiles, tileReader } from '@holdfast/tlog';
import type { TestDatabase } from '@holdfast/testing';
import { NIL, tilePlace } from '../src/sealing/growing-tree';
import { eventEntry, type LeafRow } from '../src/sealing/leaf';
import { originOf, treeVerifierKey } from '../src/sealing/log-keys';

/** The columns of `events.log` as `LeafRow` has them, in a session in UTC. */
export const LEAF_COLUMNS = `e.seq::text, e.xid::text, e.tenant_id::text, e.id::text, e.stream_type, e.stream_id::text,
  e.stream_version::text, e.type, e.schema_version, e.actor, e.act, e.correlation_id, e.causation_id, e.traceparent,
  audit.instant_text(e.occurred_at) as occurred_at, e.data::text`;

/** A tree as the database has it, read as the superuser. */
export interface SealedTree {
  readonly tenantId: string;
  readonly epoch: number;
  /** Nil for the epoch's own entry. */
  readonly eventIds: readonly string[];
  readonly hashes: readonly Buffer[];
  readonly tiles: ReadonlyMap<string, Buffer>;
  readonly entry: string;
  /** The newest checkpoint. */
  readonly size: number;
  readonly note: string | undefined;
}

/** The trees of a tenant, by epoch. */
export async function readSealedTrees(database: TestDatabase, tenantId: string): Promise<SealedTree[]> {
  const epochs = await database.admin<{
    epoch: number;
    entry: string;
    note: string | null;
    size: string | null;
  }>(
    `select e.epoch, e.entry, c.note, c.size from audit.epochs e
     left join lateral (select note, size from audit.checkpoints c
       where c.tenant_id = e.tenant_id and c.epoch = e.epoch order by hour desc limit 1) c on true
     where e.tenant_id = $1 order by e.epoch`,
    [tenantId],
  );
  return Promise.all(
    epochs.map(async ({ epoch, entry, note, size }) => {
      const tiles = await database.admin<{ level: number; tile: string; hashes: Buffer }>(
        'select level, tile, hashes from audit.tiles where tenant_id = $1 and epoch = $2 order by level, tile',
        [tenantId, epoch],
      );
      const leaves = await database.admin<{ event_id: string }>(
        `select i.event_id::text from audit.leaves l cross join lateral unnest(l.event_ids) with ordinality i (event_id, at)
         where l.tenant_id = $1 and l.epoch = $2 order by l.tile, i.at`,
        [tenantId, epoch],
      );
      const level0 = Buffer.concat(tiles.filter(({ level }) => level === 0).map(({ hashes }) => hashes));
      return {
        tenantId,
        epoch,
        entry,
        note: note ?? undefined,
        size: Number(size ?? 0),
        eventIds: leaves.map((leaf) => leaf.event_id),
        hashes: Array.from({ length: level0.length / 32 }, (_, at) =>
          level0.subarray(at * 32, (at + 1) * 32),
        ),
        tiles: new Map(
          tiles.map(({ level, tile, hashes }) => [tilePlace({ level, index: Number(tile) }), hashes]),
        ),
      };
    }),
  );
}

/** The root of the first leaves of a tree, from its tiles. */
export function rootOf({ tiles }: SealedTree, size: number): Promise<Buffer> {
  const read = (level: number, index: number, width: number): Promise<Buffer> =>
    Promise.resolve((tiles.get(tilePlace({ level, index })) ?? Buffer.alloc(0)).subarray(0, width * 32));
  return rootFromTiles(tileReader(read), size);
}

/**
 * What is wrong with a tenant's log: every event of the database has to have exactly one leaf in all its trees, with the hash of
 * its row, under a checkpoint that a key of the log has signed. Empty if nothing is.
 */
export async function findFaults(
  database: TestDatabase,
  log: { readonly logName: string; readonly publicKey: Buffer },
  tenantId: string,
): Promise<string[]> {
  const rows = await database.admin<LeafRow>(
    `select ${LEAF_COLUMNS}
     from events.log e where e.tenant_id = $1 order by e.seq`,
    [tenantId],
  );
  const byId = new Map(rows.map((row) => [row.id, row]));
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const tree of await readSealedTrees(database, tenantId)) {
    const where = `${tenantId}/${tree.epoch}`;
    faults.push(...(await checkpointFaults(tree, log)).map((fault) => `${where}: ${fault}`));
    if (tree.eventIds.length !== tree.hashes.length || tree.size !== tree.hashes.length)
      faults.push(`${where}: ${tree.eventIds.length} ids, ${tree.hashes.length} hashes, ${tree.size} signed`);
    for (const [at, id] of tree.eventIds.entries()) {
      const row = byId.get(id);
      const entry = at === 0 && id === NIL ? tree.entry : row && eventEntry(row);
      if (entry === undefined) faults.push(`${where}: leaf ${at} is of event ${id}, which is not there`);
      else if (!tree.hashes[at]?.equals(leafHash(Buffer.from(entry))))
        faults.push(`${where}: leaf ${at} does not fit its row`);
      if (at > 0 && seen.has(id)) faults.push(`${where}: event ${id} is sealed twice`);
      if (at > 0) seen.add(id);
    }
  }
  const missing = rows.filter(({ id }) => !seen.has(id));
  return [...faults, ...missing.map(({ id }) => `${tenantId}: event ${id} is not sealed`)];
}

async function checkpointFaults(
  tree: SealedTree,
  { logName, publicKey }: { readonly logName: string; readonly publicKey: Buffer },
): Promise<string[]> {
  if (tree.note === undefined) return ['no checkpoint'];
  const opened = openNote(tree.note, [treeVerifierKey(logName, tree, publicKey)]);
  const checkpoint = parseCheckpoint(opened.text);
  const faults: string[] = [];
  if (checkpoint.origin !== originOf(logName, tree)) faults.push(`origin ${checkpoint.origin}`);
  if (Number(checkpoint.size) !== tree.size) faults.push(`the note says ${checkpoint.size}`);
  if (!(await rootOf(tree, tree.size)).equals(checkpoint.root))
    faults.push('another root than the tiles have');
  return faults;
}
