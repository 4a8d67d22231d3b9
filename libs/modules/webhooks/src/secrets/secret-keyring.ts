import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { WebhooksNotConfigured } from '../webhooks.errors';

/** A key as the configuration gives it: 32 bytes in base64, and what it is called. */
export interface SealingKey {
  readonly id: string;
  readonly key: string;
}

/** A secret that the database may hold. */
export interface SealedSecret {
  readonly keyId: string;
  readonly sealed: Buffer;
}

/** NIST SP 800-38D: a nonce of 96 bits, drawn at random. Far fewer than 2^32 secrets are ever sealed under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Seals signing secrets with AES-256-GCM. The first key seals, all of them open: a key is replaced by putting another one
 * in front of it. What is sealed is bound to tenant and secret, so a row that is copied to another does not open there.
 */
export class SecretKeyring {
  private readonly keys: ReadonlyMap<string, Buffer>;

  constructor(private readonly given: readonly SealingKey[]) {
    this.keys = new Map(given.map(({ id, key }) => [id, Buffer.from(key, 'base64')]));
  }

  /** What the first key is called; undefined without one. */
  get sealsWith(): string | undefined {
    return this.given[0]?.id;
  }

  /** Throws WebhooksNotConfigured without a key. */
  seal(secret: Buffer, tenantId: string, secretId: string): SealedSecret {
    const [first] = this.given;
    if (!first) throw new WebhooksNotConfigured();
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.keyOf(first.id), nonce);
    cipher.setAAD(bindingOf(tenantId, secretId));
    const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()]);
    return { keyId: first.id, sealed: Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]) };
  }

  /** Throws when the key is not there any more, or when the row is not the one that was sealed. */
  open({ keyId, sealed }: SealedSecret, tenantId: string, secretId: string): Buffer {
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', this.keyOf(keyId), nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(bindingOf(tenantId, secretId));
    decipher.setAuthTag(tag);
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
  }

  private keyOf(id: string): Buffer {
    const key = this.keys.get(id);
    if (!key) throw new Error(`no key ${id} in WEBHOOK_SECRETS_KEY`);
    return key;
  }
}

function bindingOf(tenantId: string, secretId: string): Buffer {
  return Buffer.from(`holdfast webhook ${tenantId} ${secretId}`);
}
