import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { HashTileId, TileReader } from '@holdfast/tlog';

const FIND_TILE = statement<{ readonly hashes: Buffer }>(
  'audit.find_tile',
  'select hashes from audit.tiles where tenant_id = $1 and epoch = $2 and level = $3 and tile = $4',
);

// One by one: see FIND_PROOF.
export const LIST_TILES = statement<{ readonly place: number; readonly hashes: Buffer }>(
  'audit.list_tiles',
  `select w.place::int as place, t.hashes
   from unnest($3::int[], $4::bigint[]) with ordinality w (level, tile, place)
   cross join lateral (
     select f.hashes
     from audit.tiles f
     where f.tenant_id = $1 and f.epoch = $2 and f.level = w.level and f.tile = w.tile
     limit 1
   ) t
   limit 1000`,
);

/** A tile as it is stored, which may be wider than what is signed. */
export async function findTile(
  tx: TenantTx,
  epoch: number,
  level: number,
  index: number,
): Promise<Buffer | undefined> {
  return (await tx.row(FIND_TILE, [tx.tenantId, epoch, level, index]))?.hashes;
}

/** Reads tiles of a tree of the tenant's, those of one question in one statement. What is not there comes as nothing. */
export function tilesOfEpoch(tx: TenantTx, epoch: number): TileReader {
  return {
    readTiles: async (tiles: readonly HashTileId[]) => {
      const [levels, indices] = [tiles.map(({ level }) => level), tiles.map(({ index }) => index)];
      const rows = await tx.rows(LIST_TILES, [tx.tenantId, epoch, levels, indices]);
      const found = new Map(rows.map(({ place, hashes }) => [place, hashes]));
      return tiles.map((_, at) => found.get(at + 1) ?? Buffer.alloc(0));
    },
  };
}
