import { TILE_WIDTH } from './tile-path';
import { check } from './tlog.errors';

/** Bytes that an entry may have: its length is written as 16 bits. */
export const ENTRY_BYTES_MAX = 0xffff;

const LENGTH_BYTES = 2;

/** A bundle: each entry behind its length as a big-endian uint16, in the order of the log. 1 to 256 entries. */
export function encodeEntryBundle(entries: readonly Uint8Array[]): Buffer {
  check(entries.length >= 1, 'bad_argument', 'A bundle has an entry');
  check(entries.length <= TILE_WIDTH, 'too_large', `A bundle has at most ${TILE_WIDTH} entries`);
  return Buffer.concat(
    entries.flatMap((entry) => {
      check(entry.length <= ENTRY_BYTES_MAX, 'too_large', `An entry has at most ${ENTRY_BYTES_MAX} bytes`);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt16BE(entry.length);
      return [length, entry];
    }),
  );
}

/** The entries of a bundle, as views of it. Refuses one that is cut off, has more behind, or another width. */
export function decodeEntryBundle(bundle: Uint8Array, width: number): Buffer[] {
  const bytes = Buffer.from(bundle.buffer, bundle.byteOffset, bundle.byteLength);
  const entries: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    check(entries.length < TILE_WIDTH, 'malformed_tile', `A bundle has at most ${TILE_WIDTH} entries`);
    check(at + LENGTH_BYTES <= bytes.length, 'malformed_tile', 'The bundle ends within a length');
    const from = at + LENGTH_BYTES;
    at = from + bytes.readUInt16BE(at);
    check(at <= bytes.length, 'malformed_tile', 'The bundle ends within an entry');
    entries.push(bytes.subarray(from, at));
  }
  check(entries.length === width, 'malformed_tile', `The bundle has ${entries.length} entries, not ${width}`);
  return entries;
}
