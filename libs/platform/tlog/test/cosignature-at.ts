import { sign } from 'node:crypto';
import type { SignerKey } from '../src/note-keys';
import type { NoteSignature } from '../src/note-text';

/** A cosignature of any time, those among them that the library does not make. */
export function cosignatureAt(
  time: bigint,
  text: string,
  { name, keyId, privateKey }: SignerKey,
): NoteSignature {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(time);
  const message = Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
  return { name, keyId, signature: Buffer.concat([bytes, sign(null, message, privateKey)]) };
}
