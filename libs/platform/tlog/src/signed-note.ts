import { sign, verify } from 'node:crypto';
import { parseCheckpoint } from './checkpoint';
import type { SignerKey, VerifierKey } from './note-keys';
import { formatNote, type NoteSignature, type NoteParts, parseNote } from './note-text';
import { check } from './tlog.errors';

/** A signature that was verified. */
export interface VerifiedSignature extends NoteSignature {
  readonly key: VerifierKey;
  /** Of a cosignature: when it was made, in seconds since 1970, as the witness says. */
  readonly cosignedAt?: bigint;
}

/** A note that somebody known signed. */
export interface OpenedNote {
  readonly text: string;
  /** Those of the known keys, each once. At least one. */
  readonly signatures: readonly VerifiedSignature[];
  /** Those of keys that are not known: anything may stand there. */
  readonly unknown: readonly NoteSignature[];
}

const ED25519_BYTES = 64;
const TIME_BYTES = 8;

/** A cosignature's time is at most this. */
const TIME_MAX = 2n ** 63n - 1n;

/** What a cosignature signs: the time and the checkpoint (c2sp.org/tlog-cosignature). */
const cosignedMessage = (text: string, time: bigint): Buffer =>
  Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);

const nowInSeconds = (): bigint => BigInt(Math.floor(Date.now() / 1000));

/**
 * Signs a text, which ends in a newline. A cosignature says that the text is the checkpoint of the largest tree that the
 * witness saw of this log at `cosignedAt`, by default the system's time; what is no checkpoint is refused.
 */
export function signText(text: string, key: SignerKey, cosignedAt: bigint = nowInSeconds()): NoteSignature {
  const { name, keyId } = key;
  check(text.endsWith('\n'), 'malformed_note', 'The text of a note ends in a newline');
  if (key.type === 'ed25519')
    return { name, keyId, signature: sign(null, Buffer.from(text), key.privateKey) };
  parseCheckpoint(text);
  check(cosignedAt > 0n && cosignedAt <= TIME_MAX, 'bad_argument', 'A time is between 1 and 2^63 - 1 s');
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64BE(cosignedAt);
  const signature = sign(null, cosignedMessage(text, cosignedAt), key.privateKey);
  return { name, keyId, signature: Buffer.concat([time, signature]) };
}

/** A note: the text and a signature of each key, in their order. */
export const signNote = (text: string, keys: readonly SignerKey[], cosignedAt?: bigint): string =>
  formatNote({ text, signatures: keys.map((key) => signText(text, key, cosignedAt)) });

/**
 * The note with more signatures on it, behind those that it has; one takes the place of an earlier one of the same key.
 * For cosignatures: nothing is verified here.
 */
export function addSignatures(note: Uint8Array | string, added: readonly NoteSignature[]): string {
  const { text, signatures } = parseNote(note);
  const kept = signatures.filter((one) => !added.some((other) => isOfSameKey(one, other)));
  return formatNote({ text, signatures: [...kept, ...added] });
}

type KeyReference = Pick<NoteSignature, 'name' | 'keyId'>;
const isOfSameKey = (one: KeyReference, other: KeyReference): boolean =>
  one.name === other.name && one.keyId === other.keyId;

/** The signature with what is known of it; undefined if the key did not make it over this text. */
function verifySignature(text: string, one: NoteSignature, key: VerifierKey): VerifiedSignature | undefined {
  const { signature } = one;
  if (key.type === 'ed25519') {
    const isGood =
      signature.length === ED25519_BYTES && verify(null, Buffer.from(text), key.publicKey, signature);
    return isGood ? { ...one, key } : undefined;
  }
  if (signature.length !== TIME_BYTES + ED25519_BYTES) return undefined;
  parseCheckpoint(text);
  const cosignedAt = signature.readBigUInt64BE();
  const message = cosignedMessage(text, cosignedAt);
  const isGood =
    cosignedAt <= TIME_MAX && verify(null, message, key.publicKey, signature.subarray(TIME_BYTES));
  return isGood ? { ...one, key, cosignedAt } : undefined;
}

/**
 * Verifies signatures over a text as a note has them, and tells those of known keys from the others. Throws
 * `bad_signature` if one of a known key is not good; of several good ones by one key the first counts.
 */
export function verifySignatures(
  text: string,
  signatures: readonly NoteSignature[],
  keys: readonly VerifierKey[],
): Omit<OpenedNote, 'text'> {
  const isAmbiguous = keys.some((key, at) => keys.findIndex((other) => isOfSameKey(key, other)) !== at);
  check(!isAmbiguous, 'bad_argument', 'Two keys have the same name and id');
  const verified = new Map<VerifierKey, VerifiedSignature>();
  const unknown: NoteSignature[] = [];
  for (const one of signatures) {
    const key = keys.find((each) => isOfSameKey(each, one));
    if (!key) {
      unknown.push(one);
      continue;
    }
    const good = verifySignature(text, one, key);
    check(good !== undefined, 'bad_signature', `The signature of ${key.name} is not good`);
    if (!verified.has(key)) verified.set(key, good);
  }
  return { signatures: [...verified.values()], unknown };
}

/**
 * Reads a note that one of `keys` signed. Signatures of other keys are passed over, whatever they are. Throws
 * `bad_signature` if one of a known key does not verify, `unsigned` if there is none, `malformed_note` and `too_large` as
 * `parseNote` does.
 */
export function openNote(note: Uint8Array | string, keys: readonly VerifierKey[]): OpenedNote {
  const { text, signatures }: NoteParts = parseNote(note);
  const opened = { text, ...verifySignatures(text, signatures, keys) };
  check(opened.signatures.length > 0, 'unsigned', 'No known key signed this note');
  return opened;
}
