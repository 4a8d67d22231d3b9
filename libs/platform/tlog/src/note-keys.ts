import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { parseBase64 } from './base64';
import { check } from './tlog.errors';

/** What a key signs: a note as it stands, or the state of a log at an instant (tlog-cosignature). */
export type SignatureType = 'ed25519' | 'cosignature/v1';

/** Types by the byte that stands for them in keys and key ids. */
const TYPES: readonly (readonly [SignatureType, number])[] = [
  ['ed25519', 0x01],
  ['cosignature/v1', 0x04],
];

/** Bytes of an Ed25519 public key, and of the seed that is its private one. */
const KEY_BYTES = 32;
const KEY_ID_BYTES = 4;

/** DER of an Ed25519 key up to the key itself (RFC 8410): SubjectPublicKeyInfo and PKCS #8. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Names longer than this are refused; the specification has no limit, and the longest in use are URLs. */
const NAME_LENGTH_MAX = 255;

/** What is known about who signs. */
export interface VerifierKey {
  readonly name: string;
  /** The first four bytes of a hash of name, type and public key: with the name it finds the key, it secures nothing. */
  readonly keyId: number;
  readonly type: SignatureType;
  readonly publicKey: KeyObject;
}

/** Who signs. */
export interface SignerKey extends VerifierKey {
  readonly privateKey: KeyObject;
}

const typeByte = (type: SignatureType): number => TYPES.find(([name]) => name === type)?.[1] ?? 0;
const typeOf = (byte: number | undefined): SignatureType | undefined =>
  TYPES.find(([, each]) => each === byte)?.[0];

/** Names have no Unicode space, no plus and no control character, and can be written as UTF-8. */
export const isKeyName = (name: string): boolean =>
  name.length > 0 &&
  name.length <= NAME_LENGTH_MAX &&
  name.isWellFormed() &&
  // oxlint-disable-next-line no-control-regex -- control characters are what notes must not have
  !/[\p{White_Space}+\u0000-\u001f]/u.test(name);

function rawPublicKey(publicKey: KeyObject): Buffer {
  check(publicKey.asymmetricKeyType === 'ed25519', 'bad_argument', 'The key is no Ed25519 key');
  return publicKey.export({ type: 'spki', format: 'der' }).subarray(SPKI_PREFIX.length);
}

const taggedKey = (type: SignatureType, publicKey: KeyObject): Buffer =>
  Buffer.concat([Buffer.of(typeByte(type)), rawPublicKey(publicKey)]);

function keyIdOf(name: string, tagged: Buffer): number {
  return hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), tagged]), 'buffer').readUInt32BE();
}

const keyIdText = (keyId: number): string => keyId.toString(16).padStart(KEY_ID_BYTES * 2, '0');

/** A verifier key from a public key that Node holds. The type is what the key signs; see `SignatureType`. */
export function verifierKey(
  name: string,
  publicKey: KeyObject,
  type: SignatureType = 'ed25519',
): VerifierKey {
  check(isKeyName(name), 'bad_argument', 'A key name has no spaces and no plus, and is not empty');
  return { name, keyId: keyIdOf(name, taggedKey(type, publicKey)), type, publicKey };
}

/** A signer key from an Ed25519 private key that Node holds. */
export function signerKey(name: string, privateKey: KeyObject, type: SignatureType = 'ed25519'): SignerKey {
  check(privateKey.type === 'private', 'bad_argument', 'Signing takes a private key');
  return { ...verifierKey(name, createPublicKey(privateKey), type), privateKey };
}

/** A key of its own, from the system's randomness. */
export const generateSignerKey = (name: string, type: SignatureType = 'ed25519'): SignerKey =>
  signerKey(name, generateKeyPairSync('ed25519').privateKey, type);

/** The key as configuration has it: `<name>+<key id>+<base64 of type and public key>`. */
export function formatVerifierKey({ name, keyId, type, publicKey }: VerifierKey): string {
  return `${name}+${keyIdText(keyId)}+${taggedKey(type, publicKey).toString('base64')}`;
}

/** Name, type and key of an encoded key, whose key id is the business of the caller. */
function parseTagged(text: string): { name: string; keyId: string; type: SignatureType; raw: Buffer } {
  const [, name = '', keyId = '', encoded = ''] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/s.exec(text) ?? [];
  const tagged = parseBase64(encoded);
  const type = typeOf(tagged?.[0]);
  check(isKeyName(name) && tagged?.length === 1 + KEY_BYTES, 'malformed_key', 'This is no key of a note');
  check(type !== undefined, 'malformed_key', 'Keys of this type are not known');
  return { name, keyId, type, raw: tagged.subarray(1) };
}

/** Reads what `formatVerifierKey` writes. Refuses a key id that is not that of the key. */
export function parseVerifierKey(text: string): VerifierKey {
  const { name, keyId, type, raw } = parseTagged(text);
  const der = Buffer.concat([SPKI_PREFIX, raw]);
  const key = verifierKey(name, createPublicKey({ key: der, format: 'der', type: 'spki' }), type);
  check(keyId === keyIdText(key.keyId), 'malformed_key', 'The key id is that of another key');
  return key;
}

const SECRET_PREFIX = 'PRIVATE+KEY+';

/** The key as a file has it: `PRIVATE+KEY+<name>+<key id>+<base64 of type and seed>`, as Go's `note` package does. */
export function formatSignerKey({ name, keyId, type, privateKey }: SignerKey): string {
  const seed = privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(PKCS8_PREFIX.length);
  const tagged = Buffer.concat([Buffer.of(typeByte(type)), seed]);
  return `${SECRET_PREFIX}${name}+${keyIdText(keyId)}+${tagged.toString('base64')}`;
}

/** Reads what `formatSignerKey` writes. No message of its errors holds a part of the key. */
export function parseSignerKey(text: string): SignerKey {
  check(text.startsWith(SECRET_PREFIX), 'malformed_key', 'This is no signer key');
  const { name, keyId, type, raw } = parseTagged(text.slice(SECRET_PREFIX.length));
  const der = Buffer.concat([PKCS8_PREFIX, raw]);
  const key = signerKey(name, createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }), type);
  check(keyId === keyIdText(key.keyId), 'malformed_key', 'The key id is that of another key');
  return key;
}
