import { parseBase64 } from './base64';
import { HASH_BYTES } from './hashing';

/** Hashes as lines of base64, as proof files and requests to witnesses have them. */
export const formatHashes = (hashes: readonly Uint8Array[]): string =>
  hashes.map((hash) => `${Buffer.from(hash).toString('base64')}\n`).join('');

/** The hashes of lines of base64; undefined if one is something else. */
export function parseHashes(lines: readonly string[]): Buffer[] | undefined {
  const hashes = lines.map(parseBase64).filter((hash) => hash?.length === HASH_BYTES);
  return hashes.length === lines.length ? (hashes as Buffer[]) : undefined;
}
