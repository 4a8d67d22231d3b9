import { parseCheckpoint } from './checkpoint';
import { formatHashes, parseHashes } from './hash-lines';
import { NOTE_BYTES_MAX, parseNote, parseSignatures, parseText } from './note-text';
import type { VerifierKey } from './note-keys';
import { type Count, parseCount, toBigInt } from './sizes';
import { type VerifiedSignature, verifySignatures } from './signed-note';
import { check } from './tlog.errors';

/** Hashes in a consistency proof: the protocol's limit. */
const HASHES_MAX = 63;

/** Bytes of a request: the largest checkpoint, and 63 lines of base64 and one of the size. */
export const ADD_CHECKPOINT_BYTES_MAX = NOTE_BYTES_MAX + 4_000;

/** Bytes of an answer. 16 of the largest signatures that are in use have 54 kB. */
export const WITNESS_ANSWER_BYTES_MAX = 100_000;

/** The type of the answer that has a size in it. */
export const SIZE_CONTENT_TYPE = 'text/x.tlog.size';

/** What a log asks a witness to cosign. */
export interface AddCheckpoint {
  /** Size of the latest checkpoint that the witness cosigned, 0 if none. */
  readonly oldSize: bigint;
  /** From the old size to that of the checkpoint; empty from 0. */
  readonly proof: readonly Buffer[];
  /** The signed checkpoint, verbatim. */
  readonly checkpoint: string;
}

/** The body of POST `<prefix>/add-checkpoint`, c2sp.org/tlog-witness. Refuses what `parseAddCheckpoint` would. */
export function formatAddCheckpoint(
  oldSize: Count,
  proof: readonly Uint8Array[],
  checkpoint: string,
): string {
  const body = `old ${toBigInt(oldSize, 'The old size')}\n${formatHashes(proof)}\n${checkpoint}`;
  parseAddCheckpoint(body);
  return body;
}

/** Takes the body of a request apart and verifies nothing. Throws `malformed_request`, and as notes and checkpoints do. */
export function parseAddCheckpoint(body: Uint8Array | string): AddCheckpoint {
  const isSmall =
    body.length <= ADD_CHECKPOINT_BYTES_MAX && Buffer.byteLength(body) <= ADD_CHECKPOINT_BYTES_MAX;
  check(isSmall, 'too_large', `A request has at most ${ADD_CHECKPOINT_BYTES_MAX} bytes`);
  const text = parseText(body);
  check(text !== undefined, 'malformed_request', 'A request is UTF-8 without control characters');
  const end = text.indexOf('\n\n');
  check(end >= 0, 'malformed_request', 'A request has a blank line before its checkpoint');
  const [sizeLine = '', ...hashLines] = text.slice(0, end).split('\n', HASHES_MAX + 2);
  const oldSize = sizeLine.startsWith('old ') ? parseCount(sizeLine.slice(4)) : undefined;
  check(oldSize !== undefined, 'malformed_request', 'A request begins with the old size');
  const proof = parseHashes(hashLines);
  check(proof !== undefined, 'malformed_request', 'The lines behind the old size are hashes in base64');
  check(proof.length <= HASHES_MAX, 'malformed_request', `A proof has at most ${HASHES_MAX} hashes`);
  const checkpoint = text.slice(end + 2);
  parseCheckpoint(parseNote(checkpoint).text);
  return { oldSize, proof, checkpoint };
}

/** The size in the answer 409: what the witness cosigned last. */
export function parseWitnessSize(body: string): bigint {
  const size = body.endsWith('\n') ? parseCount(body.slice(0, -1)) : undefined;
  check(size !== undefined, 'malformed_response', 'The answer is no size');
  return size;
}

/**
 * The cosignatures in the answer 200, of the keys that are known. Throws `unsigned` if there is none, `bad_signature` if
 * one is not good, and `malformed_response` for anything but lines of signatures and for a cosignature without a time.
 */
export function parseCosignatures(
  body: string,
  checkpoint: string,
  keys: readonly VerifierKey[],
): readonly VerifiedSignature[] {
  check(body.length <= WITNESS_ANSWER_BYTES_MAX, 'too_large', 'The answer is too large');
  const lines = parseText(body) === undefined ? undefined : parseSignatures(body);
  check(lines !== undefined, 'malformed_response', 'The answer is not lines of signatures');
  const { signatures } = verifySignatures(parseNote(checkpoint).text, lines, keys);
  check(signatures.length > 0, 'unsigned', 'The witness did not cosign with a known key');
  check(
    signatures.every(({ cosignedAt = 0n }) => cosignedAt > 0n),
    'malformed_response',
    'A cosignature has a time',
  );
  return signatures;
}
