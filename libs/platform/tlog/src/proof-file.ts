import { parseBase64 } from './base64';
import { parseCheckpoint } from './checkpoint';
import { formatHashes, parseHashes } from './hash-lines';
import { leafHash } from './hashing';
import { parseNote, parseText } from './note-text';
import { type LogPolicy, openCheckpoint, type OpenedCheckpoint } from './open-checkpoint';
import { verifyInclusion } from './proof-verification';
import { type Count, parseCount, toBigInt } from './sizes';
import { check } from './tlog.errors';

const HEADER = 'c2sp.org/tlog-proof@v1';

/** Hashes in an inclusion proof: as many as a tree of 2^64 leaves has levels. */
const HASHES_MAX = 64;

/** Bytes of a proof file: the checkpoint may have half of it. */
const FILE_BYTES_MAX = 2_000_000;

/** A proof of inclusion that stands by itself, c2sp.org/tlog-proof@v1: nothing in it is verified. */
export interface ProofFile {
  readonly index: bigint;
  /** From the leaf's sibling upwards. */
  readonly proof: readonly Buffer[];
  /** The signed checkpoint of the tree that the proof leads to, verbatim. */
  readonly checkpoint: string;
  /** What the application put beside it. No signature covers it. */
  readonly extra?: Buffer;
}

/** What `formatProofFile` takes. */
export interface ProofFileFields {
  readonly index: Count;
  readonly proof: readonly Uint8Array[];
  readonly checkpoint: string;
  readonly extra?: Uint8Array;
}

/** A proof file that was verified. */
export interface VerifiedProof {
  readonly index: bigint;
  readonly checkpoint: OpenedCheckpoint;
  readonly extra?: Buffer;
}

/** What is said to be in the log: an entry as the log has it, or its hash. */
export type ProvenLeaf = { readonly entry: Uint8Array | string } | { readonly leafHash: Uint8Array };

/** The text of a proof file, by custom in a file `….tlog-proof`. Refuses what `parseProofFile` would. */
export function formatProofFile(fields: ProofFileFields): string {
  const file = joinProofFile(fields);
  parseProofFile(file);
  return file;
}

/** The same of parts that are known to be good, which are not looked at: many a second are half as costly. */
export function joinProofFile({ index, proof, checkpoint, extra }: ProofFileFields): string {
  const extraLine = extra ? `extra ${Buffer.from(extra).toString('base64')}\n` : '';
  const indexLine = `index ${toBigInt(index, 'The index')}\n`;
  return `${HEADER}\n${extraLine}${indexLine}${formatHashes(proof)}\n${checkpoint}`;
}

/** What stands behind a word and a space. */
const behind = (word: string, line: string | undefined): string | undefined =>
  line?.startsWith(`${word} `) ? line.slice(word.length + 1) : undefined;

/** Takes a proof file apart. Throws `malformed_proof`, and as `parseNote` and `parseCheckpoint` do. */
export function parseProofFile(file: Uint8Array | string): ProofFile {
  const isSmall = file.length <= FILE_BYTES_MAX && Buffer.byteLength(file) <= FILE_BYTES_MAX;
  check(isSmall, 'too_large', `A proof file has at most ${FILE_BYTES_MAX} bytes`);
  const text = parseText(file);
  check(text !== undefined, 'malformed_proof', 'A proof file is UTF-8 without control characters');
  const end = text.indexOf('\n\n');
  check(end >= 0, 'malformed_proof', 'A proof file has a blank line before its checkpoint');
  const [header, ...lines] = text.slice(0, end).split('\n', HASHES_MAX + 4);
  check(header === HEADER, 'malformed_proof', `A proof file begins with ${HEADER}`);
  const extraText = behind('extra', lines[0]);
  const extra = extraText === undefined ? undefined : parseBase64(extraText);
  check(extraText === undefined || extra !== undefined, 'malformed_proof', 'The extra line is no base64');
  const [indexLine, ...hashLines] = extra ? lines.slice(1) : lines;
  const index = parseCount(behind('index', indexLine) ?? '');
  check(index !== undefined, 'malformed_proof', 'A proof file has an index');
  const proof = parseHashes(hashLines);
  check(proof !== undefined, 'malformed_proof', 'The lines behind the index are hashes in base64');
  check(proof.length <= HASHES_MAX, 'malformed_proof', `A proof has at most ${HASHES_MAX} hashes`);
  const checkpoint = text.slice(end + 2);
  parseCheckpoint(parseNote(checkpoint).text);
  return { index, proof, checkpoint, ...(extra && { extra }) };
}

/**
 * Verifies that a leaf is in a log, offline: that the policy is satisfied with the checkpoint, and that the proof leads
 * from the leaf to its root. Throws `wrong_proof` if it does not, and as `parseProofFile` and `openCheckpoint` do.
 */
export function verifyProofFile(
  file: Uint8Array | string,
  leaf: ProvenLeaf,
  policy: LogPolicy,
): VerifiedProof {
  const { index, proof, checkpoint, extra } = parseProofFile(file);
  const opened = openCheckpoint(checkpoint, policy);
  const hash = 'entry' in leaf ? leafHash(leaf.entry) : leaf.leafHash;
  verifyInclusion({ leafHash: hash, index, size: opened.size, root: opened.root, proof });
  return { index, checkpoint: opened, ...(extra && { extra }) };
}
