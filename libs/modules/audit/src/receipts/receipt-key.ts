import { generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { canonicalJson, type SignerKey, signerKey, type VerifierKey } from '@holdfast/tlog';
import { z } from 'zod';
import { namedKey, PUBLIC_KEY_BYTES } from '../sealing/log-keys';

/** The key of a process. */
export interface ReceiptKey {
  readonly id: string;
  readonly signer: SignerKey;
}

/** Of the public key: the first 16 bytes of its SHA-256, in hexadecimal. */
export const receiptKeyId = z.string().regex(/^[0-9a-f]{32}$/);

/** What a key is asked for by: a UUID, which PostgreSQL takes 16 bytes for, is nobody's id and no fault of form. */
export const receiptKeyName = z.string().regex(/^[0-9a-f-]{1,64}$/);

const entrySchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('receipt-key'),
  id: receiptKeyId,
  publicKey: z.base64().length(44),
  validFrom: z.iso.datetime(),
  validUntil: z.iso.datetime(),
});

/** What the entry of a key says; FORMAT.md has the members. */
export type ReceiptKeyEntry = z.output<typeof entrySchema>;

/** The name of a key, and of its logs, each of which holds the receipts of a moment. */
const originOf = (logName: string, keyId: string): string => `${logName}/receipts/${keyId}`;

const idOf = (publicKey: Buffer): string => hash('sha256', publicKey, 'hex').slice(0, 32);

/** Makes a key in memory. */
export function makeReceiptKey(logName: string): ReceiptKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const id = idOf(rawPublicKey({ publicKey }));
  return { id, signer: signerKey(originOf(logName, id), privateKey) };
}

/** Reads an entry; undefined for every other text than the canonical one, and for an id that is not the key's. */
export function readReceiptKeyEntry(text: string): ReceiptKeyEntry | undefined {
  const { data } = entrySchema.safeParse(jsonOf(text));
  if (!data || canonicalJson(data) !== text) return undefined;
  return idOf(Buffer.from(data.publicKey, 'base64')) === data.id ? data : undefined;
}

/** JSON, or undefined. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The 32 bytes of a key: the last of its SubjectPublicKeyInfo. */
export function rawPublicKey({ publicKey }: { readonly publicKey: KeyObject }): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' }).subarray(-PUBLIC_KEY_BYTES);
}

/** What verifies the receipts of the key, under the name of the installation's log. */
export function receiptVerifierKey(logName: string, { id, publicKey }: ReceiptKeyEntry): VerifierKey {
  return namedKey(originOf(logName, id), Buffer.from(publicKey, 'base64'));
}

/** Whether a key was good at an instant. */
export const isValidAt = ({ validFrom, validUntil }: ReceiptKeyEntry, at: string): boolean =>
  Date.parse(validFrom) <= Date.parse(at) && Date.parse(at) <= Date.parse(validUntil);
