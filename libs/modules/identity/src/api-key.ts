import { createHash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** `live` for real work, `test` for sandboxes: told apart at sight, and by secret scanners. */
export type ApiKeyMode = 'live' | 'test';

/** A fresh key. `text` is shown to its maker once; only `hash` is stored. */
export interface ApiKeySecret {
  readonly text: string;
  readonly prefix: string;
  readonly hash: Buffer;
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 30 base62 digits hold 178 random bits. */
const RANDOM_LENGTH = 30;
/** 62^6 exceeds 2^32, so six digits hold a CRC32. */
const CHECKSUM_LENGTH = 6;
const SHAPE = new RegExp(`^hf_(?:live|test)_[0-9A-Za-z]{${RANDOM_LENGTH + CHECKSUM_LENGTH}}$`);

/** Makes a key: `hf_<mode>_`, 30 random base62 digits, and the CRC32 of all before it in 6 more. */
export function generateApiKey(mode: ApiKeyMode): ApiKeySecret {
  const random = Array.from({ length: RANDOM_LENGTH }, () => DIGITS[randomInt(DIGITS.length)]).join('');
  const body = `hf_${mode}_${random}`;
  const text = body + checksum(body);
  return { text, prefix: text.slice(0, 12), hash: createHash('sha256').update(text).digest() };
}

/**
 * Whether a text has the form and checksum of a key. A mistyped key, or a token of another system, is told from a key
 * without asking the database; a guessed one would have to be right in 178 bits all the same.
 */
export function isApiKey(text: string): boolean {
  return SHAPE.test(text) && checksum(text.slice(0, -CHECKSUM_LENGTH)) === text.slice(-CHECKSUM_LENGTH);
}

function checksum(body: string): string {
  let rest = crc32(body);
  let digits = '';
  for (let i = 0; i < CHECKSUM_LENGTH; i += 1) {
    digits = DIGITS.charAt(rest % DIGITS.length) + digits;
    rest = Math.floor(rest / DIGITS.length);
  }
  return digits;
}
