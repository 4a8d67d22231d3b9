import {
  HASH_BYTES,
  type HashTileId,
  inclusionProof,
  leafHash,
  parseCheckpoint,
  parseNote,
  type TileReader,
  TlogError,
  verifyInclusion,
} from '@holdfast/tlog';
import { eventEntry, type LeafRow } from '../sealing/leaf';
import { EventAltered } from './log.errors';
import { refusedProofs } from './log-metrics';

/** A proof that an event is in a log: everything that a verifier needs but the log's key. */
export interface EventProof {
  readonly epoch: number;
  readonly index: number;
  readonly size: number;
  /** The entry of the leaf, as it was hashed. */
  readonly entry: string;
  readonly leafHash: Buffer;
  /** From the leaf's sibling upwards. */
  readonly proof: readonly Buffer[];
  /** The signed checkpoint that the proof leads to. */
  readonly checkpoint: string;
}

/** Where the leaf of an event is, the checkpoint that it is under, and the tiles between the two. */
export interface LeafPlace {
  readonly epoch: number;
  readonly index: number;
  readonly size: number;
  readonly note: string;
  /** `<level>/<tile>/<width>`, and the hashes of all one behind the other. */
  readonly tiles: readonly string[] | null;
  readonly hashes: Buffer | null;
}

/**
 * Makes the proof and verifies it, so that nobody is given one that is none. Throws EventAltered where the row is not what was
 * sealed, or the tiles do not add up to what was signed.
 */
export async function proveEvent(row: LeafRow, place: LeafPlace): Promise<EventProof> {
  const { epoch, index, size, note } = place;
  const entry = eventEntry(row);
  const hash = leafHash(entry);
  try {
    const proof = await inclusionProof(readTiles(place), index, size);
    const { root } = parseCheckpoint(parseNote(note).text);
    verifyInclusion({ leafHash: hash, index, size, root, proof });
    return { epoch, index, size, entry, leafHash: hash, proof, checkpoint: note };
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
    refusedProofs.inc();
    throw new EventAltered();
  }
}

function readTiles({ tiles, hashes }: LeafPlace): TileReader {
  const read = new Map<string, Buffer>();
  let from = 0;
  for (const named of tiles ?? []) {
    const [level, tile, width] = named.split('/');
    const to = from + Number(width) * HASH_BYTES;
    read.set(`${level}/${tile}`, hashes?.subarray(from, to) ?? Buffer.alloc(0));
    from = to;
  }
  return {
    readTiles: (wanted: readonly HashTileId[]) =>
      Promise.resolve(wanted.map(({ level, index }) => read.get(`${level}/${index}`) ?? Buffer.alloc(0))),
  };
}
