import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  sign,
} from 'node:crypto';

/** How deliveries are signed: with a secret that both sides know, or with a key whose public half anybody may. */
export const SIGNING_SCHEMES = ['hmac-sha256', 'ed25519'] as const;

/** How deliveries are signed. */
export type SigningScheme = (typeof SIGNING_SCHEMES)[number];

/** A secret in the clear: what is sealed, what its owner is shown once, and what anybody may know. */
export interface SigningSecret {
  readonly scheme: SigningScheme;
  /** The key of the HMAC, or the seed of the Ed25519 key. */
  readonly bytes: Buffer;
  /** `whsec_…`, which the receiver needs; null for Ed25519, whose private half nobody does. */
  readonly shown: string | null;
  /** `whpk_…` of Ed25519. */
  readonly publicKey: string | null;
}

/** Standard Webhooks asks for 24 to 64 bytes of HMAC secret; an Ed25519 seed has 32. */
const SECRET_BYTES = 32;
/** What stands before the 32 bytes of an Ed25519 seed in PKCS #8 (RFC 8410), and of a public key in SPKI. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX_BYTES = 12;

/** Makes a secret. */
export function generateSigningSecret(scheme: SigningScheme): SigningSecret {
  if (scheme === 'hmac-sha256') {
    const bytes = randomBytes(SECRET_BYTES);
    return { scheme, bytes, shown: `whsec_${bytes.toString('base64')}`, publicKey: null };
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  const bytes = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_PREFIX.length);
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const publicKey = `whpk_${spki.subarray(SPKI_PREFIX_BYTES).toString('base64')}`;
  return { scheme, bytes, shown: null, publicKey };
}

/** What is signed, as Standard Webhooks 1.0.0 has it: id, seconds and body, joined by full stops. */
export interface SignedContent {
  readonly id: string;
  readonly timestamp: string;
  readonly body: Buffer;
}

/** One signature in the form of `webhook-signature`: `v1,…` or `v1a,…`. */
export function signatureOf(
  { scheme, bytes }: Pick<SigningSecret, 'scheme' | 'bytes'>,
  { id, timestamp, body }: SignedContent,
): string {
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  if (scheme === 'hmac-sha256') return `v1,${createHmac('sha256', bytes).update(content).digest('base64')}`;
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, bytes]), format: 'der', type: 'pkcs8' });
  return `v1a,${sign(null, content, key).toString('base64')}`;
}
