import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { TenantDatabase } from '@holdfast/tenancy';
import { HASH_BYTES, parseTilePath, tileAt, type TileId, TlogError } from '@holdfast/tlog';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { getCheckpoint } from './checkpoint.query';
import type { OfEpoch } from './log-epoch';
import { findTile } from './tiles.sql';

/** What a path of a tile or bundle names, behind `tile/`. */
export interface OfTile extends OfEpoch {
  readonly level: string;
  readonly tile: string;
}

/** Hashes of a tile, as many as the path asks for. Throws NotFound for what is not under a checkpoint, NotSealed. */
export class LogTile extends TenantQuery<OfTile, Buffer> {
  readonly scope = 'audit:read';
}

@QueryHandler(LogTile)
export class LogTileHandler implements IQueryHandler<LogTile> {
  constructor(private readonly tenants: TenantDatabase) {}

  execute({ caller, input }: LogTile): Promise<Buffer> {
    const { level, index, width } = tileNamed(input);
    if (level === 'entries') throw new NotFound();
    return this.tenants.reading(caller, async (tx) => {
      const { epoch, size } = await getCheckpoint(tx, input);
      requireSigned(size, level, { index, width });
      const hashes = await findTile(tx, epoch, level, index);
      if (!hashes || hashes.length < width * HASH_BYTES) throw new NotFound();
      return hashes.subarray(0, width * HASH_BYTES);
    });
  }
}

/** The tile or bundle that a path names. Throws NotFound for another spelling than that of tlog-tiles. */
export function tileNamed({ level, tile }: OfTile): TileId {
  try {
    return parseTilePath(`tile/${level}/${tile}`);
  } catch (error) {
    if (error instanceof TlogError) throw new NotFound();
    throw error;
  }
}

/** Refuses what reaches beyond the signed size: nobody could verify it, and it may yet be cut off. Throws NotFound. */
export function requireSigned(
  size: number,
  level: number,
  { index, width }: { readonly index: number; readonly width: number },
): void {
  const signed = tileAt(size, level, index);
  if (!signed || signed.width < width) throw new NotFound();
}
