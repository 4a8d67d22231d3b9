import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { LRUCache } from 'lru-cache';

/** Whose telemetry a write key brings. */
export interface WriteKeyHolder {
  readonly keyId: string;
  readonly tenantId: string;
}

/** What every write key begins with, so that scanners for leaked secrets know one, and know that it is public. */
const PREFIX = 'hfw_';
const VERSION = 1;
const ID_BYTES = 16;
const PAYLOAD_BYTES = 1 + 2 * ID_BYTES;
const SIGNATURE_BYTES = 64;
const TEXT = new RegExp(
  `^${PREFIX}[A-Za-z0-9_-]{${Math.ceil(((PAYLOAD_BYTES + SIGNATURE_BYTES) * 4) / 3)}}$`,
);
/** Signed in front of the payload: nothing else that this key signs can be taken for a write key. */
const CONTEXT = Buffer.from('holdfast write key\n');
/** Ed25519 costs 60 µs to verify and a look-up a tenth of one; a verified key takes 300 bytes. */
const VERIFIED_MAX = 20_000;

/**
 * Signs write keys: `hfw_` and base64url of version, key id, tenant id and an Ed25519 signature (RFC 8032), which is the same for the
 * same key at any time. A write key is public and may only ingest, so that it can be shown again.
 */
export class WriteKeySigner {
  private readonly key: KeyObject;

  /** `privateKey`: PKCS #8 in DER, as base64. */
  constructor(privateKey: string) {
    this.key = createPrivateKey({ key: Buffer.from(privateKey, 'base64'), format: 'der', type: 'pkcs8' });
  }

  /** The public key that verifies these: SPKI in DER, as base64. */
  get publicKey(): string {
    return createPublicKey(this.key).export({ format: 'der', type: 'spki' }).toString('base64');
  }

  /** The text of the write key. */
  write({ keyId, tenantId }: WriteKeyHolder): string {
    const payload = Buffer.concat([Buffer.of(VERSION), bytesOf(keyId), bytesOf(tenantId)]);
    return `${PREFIX}${Buffer.concat([payload, this.sign(CONTEXT, payload)]).toString('base64url')}`;
  }

  /** The signature over a text of another kind, which `context` names. */
  sign(context: Buffer, text: Buffer): Buffer {
    return sign(null, Buffer.concat([context, text]), this.key);
  }
}

/** A header with the key: `Basic` with the key as user name, `Bearer`, or the key itself. */
const AUTHORIZATION = /^(?:(basic|bearer) +)?(\S+)$/i;

/** Verifies write keys with the public key alone: no database is asked, so that telemetry is taken while there is none. */
export class WriteKeyVerifier {
  private readonly keys: readonly KeyObject[];
  private readonly verified = new LRUCache<string, WriteKeyHolder>({ max: VERIFIED_MAX });
  /** By the header that named the key. Apart: of one key there are as many headers as anybody likes to make. */
  private readonly named = new LRUCache<string, WriteKeyHolder>({ max: VERIFIED_MAX });

  /** `publicKeys`: SPKI in DER, as base64; more than one while a key is replaced. */
  constructor(publicKeys: readonly string[]) {
    this.keys = publicKeys.map((key) =>
      createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' }),
    );
  }

  /** Whose key it is, or undefined of a text that is no write key of ours. */
  holderOf(text: string): WriteKeyHolder | undefined {
    const known = this.verified.get(text);
    if (known || !TEXT.test(text)) return known;
    const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
    const payload = bytes.subarray(0, PAYLOAD_BYTES);
    // One spelling: base64url leaves bits at its end that say nothing.
    if (payload[0] !== VERSION || !text.endsWith(bytes.toString('base64url'))) return undefined;
    if (!this.isSigned(CONTEXT, payload, bytes.subarray(PAYLOAD_BYTES))) return undefined;
    const holder = {
      keyId: idOf(payload.subarray(1, 1 + ID_BYTES)),
      tenantId: idOf(payload.subarray(1 + ID_BYTES)),
    };
    this.verified.set(text, holder);
    return holder;
  }

  /** Whose key an `Authorization` header names. */
  holderNamedBy(authorization: string): WriteKeyHolder | undefined {
    const known = this.named.get(authorization);
    if (known) return known;
    const holder = this.holderOf(keyNamedBy(authorization));
    if (holder) this.named.set(authorization, holder);
    return holder;
  }

  /** Whether the text of this kind was signed by one of the keys. */
  isSigned(context: Buffer, text: Buffer, signature: Buffer): boolean {
    const signed = Buffer.concat([context, text]);
    return this.keys.some((key) => verify(null, signed, key, signature));
  }
}

function keyNamedBy(authorization: string): string {
  const [, scheme, text = ''] = AUTHORIZATION.exec(authorization) ?? [];
  if (scheme?.toLowerCase() !== 'basic') return text;
  const [name = ''] = Buffer.from(text, 'base64').toString('latin1').split(':', 1);
  return name;
}

/** Stands for an id in lists that everybody may read: who knows the id finds it, and nobody learns it. */
export function fingerprintOf(id: string): string {
  return createHash('sha256').update(bytesOf(id)).digest().subarray(0, ID_BYTES).toString('base64url');
}

function bytesOf(id: string): Buffer {
  return Buffer.from(id.replaceAll('-', ''), 'hex');
}

function idOf(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
