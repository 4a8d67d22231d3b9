import { createHash } from 'node:crypto';
import { v7 } from 'uuid';
import { z } from 'zod';

/** A UUIDv7 (RFC 9562): unique everywhere, and later ones sort behind earlier ones of the same process. */
export function newId(): string {
  return v7();
}

/** The shape of an id in requests. Any UUID, lower-cased: ids that clients choose need not be version 7. */
export const idSchema = z.guid().toLowerCase().meta({ description: 'A UUID.' });

/** The UUID that stands for these parts: a SHA-256 digest in the form of UUIDv8 (RFC 9562 §5.8). */
export function deterministicId(...parts: readonly string[]): string {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest();
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x80, 6);
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = digest.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    '-',
  );
}
