import { createHash, randomBytes } from 'node:crypto';
import { canonicalJson } from '@holdfast/tlog';

/** How a personal value stands in an event, for good. */
export interface Commitment {
  readonly commitment: string;
}

/** A personal value with what opens its commitment. */
export interface Opening {
  readonly salt: Buffer;
  readonly value: unknown;
}

/** As many as the digest has: whoever guesses values has to guess these as well. */
const SALT_BYTES = 32;
/** Tells a commitment from the leaves (0) and nodes (1) of RFC 6962, which are hashed with the same function. */
const PREFIX = Buffer.from([2]);
const TEXT = /^[A-Za-z0-9_-]{43}$/;

/** Draws a salt for a value. */
export function openingOf(value: unknown): Opening {
  return { salt: randomBytes(SALT_BYTES), value };
}

/** SHA-256 of 2, the salt and the value's canonical JSON (RFC 8785): hides the value without the salt, and fits no other. */
export function commitmentTo({ salt, value }: Opening): Commitment {
  if (salt.length !== SALT_BYTES) throw new Error(`a salt has ${SALT_BYTES} bytes`);
  const digest = createHash('sha256').update(PREFIX).update(salt).update(canonicalJson(value));
  return { commitment: digest.digest('base64url') };
}

/** Whether a field of an event holds a commitment and nothing else. */
export function isCommitment(field: unknown): field is Commitment {
  if (typeof field !== 'object' || field === null) return false;
  const { commitment, ...others } = field as Partial<Commitment>;
  return typeof commitment === 'string' && TEXT.test(commitment) && Object.keys(others).length === 0;
}

/** An opening as it is sealed: the salt, then the value. */
export function encodeOpening({ salt, value }: Opening): Buffer {
  return Buffer.concat([salt, Buffer.from(canonicalJson(value))]);
}

/** The opening that was sealed. */
export function decodeOpening(bytes: Buffer): Opening {
  const value: unknown = JSON.parse(bytes.subarray(SALT_BYTES).toString());
  return { salt: bytes.subarray(0, SALT_BYTES), value };
}
