import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** A key as the configuration gives it: 32 bytes in base64, and what it is called. */
export interface SealingKey {
  readonly id: string;
  readonly key: string;
}

/** What a key of the configuration has sealed, and which of them. */
export interface Sealed {
  readonly keyId: string;
  readonly sealed: Buffer;
}

/** NIST SP 800-38D: a nonce of 96 bits, drawn at random. Far fewer than 2^32 things are ever sealed under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM: nonce, tag, ciphertext. Opens only where `binding` is the same, so that nothing moves to another place. */
export function seal(key: Buffer, binding: string, content: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(binding));
  const ciphertext = Buffer.concat([cipher.update(content), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]);
}

/** What was sealed. Throws where the key, the binding or a byte is another. */
export function open(key: Buffer, binding: string, sealed: Buffer): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(binding));
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
}

/** Keys of the configuration. The first seals, all open: one is replaced by putting another in front of it. */
export class Keyring {
  private readonly keys: ReadonlyMap<string, Buffer>;

  /** `variable` names them to whoever has to mend what is missing. */
  constructor(
    private readonly given: readonly SealingKey[],
    private readonly variable: string,
  ) {
    this.keys = new Map(given.map(({ id, key }) => [id, Buffer.from(key, 'base64')]));
  }

  /** What the first key is called; undefined without one. */
  get sealsWith(): string | undefined {
    return this.given[0]?.id;
  }

  /** Seals with the first key. Throws without one. */
  seal(binding: string, content: Buffer): Sealed {
    const keyId = this.sealsWith ?? '';
    return { keyId, sealed: seal(this.keyOf(keyId), binding, content) };
  }

  /** Throws when the key is not there any more, or what was sealed is not this, or not for this place. */
  open(binding: string, { keyId, sealed }: Sealed): Buffer {
    return open(this.keyOf(keyId), binding, sealed);
  }

  private keyOf(id: string): Buffer {
    const key = this.keys.get(id);
    if (!key) throw new Error(`no key ${id} in ${this.variable}`);
    return key;
  }
}
