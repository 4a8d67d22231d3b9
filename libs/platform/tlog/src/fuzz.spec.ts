import * as fc from 'fast-check';
import { canonicalJson } from './canonical-json';
import { formatCheckpoint, parseCheckpoint } from './checkpoint';
import { decodeEntryBundle, encodeEntryBundle } from './entry-bundle';
import { leafHash } from './hashing';
import {
  formatSignerKey,
  formatVerifierKey,
  generateSignerKey,
  parseSignerKey,
  parseVerifierKey,
} from './note-keys';
import { parseNote } from './note-text';
import { openCheckpoint } from './open-checkpoint';
import { formatProofFile, parseProofFile, verifyProofFile } from './proof-file';
import { verifyConsistency, verifyInclusion } from './proof-verification';
import { openNote, signNote } from './signed-note';
import { parseTilePath, tilePath } from './tile-path';
import { TlogError } from './tlog.errors';
import { Witness } from './witness';
import {
  formatAddCheckpoint,
  parseAddCheckpoint,
  parseCosignatures,
  parseWitnessSize,
} from './witness-protocol';

const log = generateSignerKey('example.com/log');
const witnessKey = generateSignerKey('witness.example/w1', 'cosignature/v1');
const witness = new Witness(witnessKey, new Map([[log.name, [log]]]));
const text = formatCheckpoint({ origin: log.name, size: 1, root: leafHash('') });
const note = signNote(text, [log, witnessKey]);
const policy = { origin: log.name, logKeys: [log], witnesses: { keys: [witnessKey], quorum: 1 } };
const file = formatProofFile({ index: 0, proof: [], checkpoint: note, extra: Buffer.from('extra') });
const request = formatAddCheckpoint(0, [], note);

/** Every reader of the library, with something good that it reads. */
const readers: [string, Buffer, (bytes: Buffer) => unknown][] = [
  [
    'parseTilePath',
    Buffer.from(tilePath({ level: 1, index: 1_234, width: 7 })),
    (bytes) => parseTilePath(String(bytes)),
  ],
  [
    'decodeEntryBundle',
    encodeEntryBundle([Buffer.from('one'), Buffer.from('two')]),
    (bytes) => decodeEntryBundle(bytes, 2),
  ],
  ['parseVerifierKey', Buffer.from(formatVerifierKey(log)), (bytes) => parseVerifierKey(String(bytes))],
  ['parseSignerKey', Buffer.from(formatSignerKey(log)), (bytes) => parseSignerKey(String(bytes))],
  ['parseNote', Buffer.from(note), parseNote],
  ['openNote', Buffer.from(note), (bytes) => openNote(bytes, [log, witnessKey])],
  ['parseCheckpoint', Buffer.from(text), (bytes) => parseCheckpoint(String(bytes))],
  ['openCheckpoint', Buffer.from(note), (bytes) => openCheckpoint(bytes, policy)],
  ['parseProofFile', Buffer.from(file), parseProofFile],
  ['verifyProofFile', Buffer.from(file), (bytes) => verifyProofFile(bytes, { entry: '' }, policy)],
  ['parseAddCheckpoint', Buffer.from(request), parseAddCheckpoint],
  ['parseWitnessSize', Buffer.from('20852163\n'), (bytes) => parseWitnessSize(String(bytes))],
  [
    'parseCosignatures',
    Buffer.from(note.split('\n').slice(-2).join('\n')),
    (bytes) => parseCosignatures(String(bytes), note, [witnessKey]),
  ],
  ['Witness', Buffer.from(request), (bytes) => witness.addCheckpoint(bytes)],
];

function refusesOrReads(read: (bytes: Buffer) => unknown, bytes: Buffer): void {
  try {
    read(bytes);
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
  }
}

/** A few bytes cut out of something good, and others put in their place. */
const changes = fc.array(fc.record({ at: fc.nat(), cut: fc.nat(5), put: fc.uint8Array({ maxLength: 5 }) }), {
  minLength: 1,
  maxLength: 4,
});

function changed(good: Buffer, edits: readonly { at: number; cut: number; put: Uint8Array }[]): Buffer {
  return edits.reduce((bytes, { at, cut, put }) => {
    const from = at % (bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + cut)]);
  }, good);
}

describe.each(readers)('%s', (_, good, read) => {
  test('reads what is good', () => expect(() => read(good)).not.toThrow());

  test('never fails otherwise than with its own error: random bytes', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => refusesOrReads(read, Buffer.from(bytes))),
      { numRuns: 500 },
    ));

  test('never fails otherwise than with its own error: something good, changed', () =>
    fc.assert(
      fc.property(changes, (edits) => refusesOrReads(read, changed(good, edits))),
      { numRuns: 1_000 },
    ));
});

describe('Proofs that were made up', () => {
  const hashes = fc.array(fc.uint8Array({ minLength: 31, maxLength: 33 }), { maxLength: 70 });
  const counts = fc.oneof(
    fc.bigInt({ min: -2n, max: 2n ** 65n }),
    fc.bigInt({ min: 0n, max: 20n }),
    fc.integer(),
  );
  const hash = fc.uint8Array({ minLength: 31, maxLength: 33 });

  test('are refused with the error of the library', () =>
    fc.assert(
      fc.property(counts, counts, hashes, hash, (index, size, proof, root) => {
        expect(() => verifyInclusion({ leafHash: leafHash(''), index, size, root, proof })).toThrow(
          TlogError,
        );
        const claim = { oldSize: index, oldRoot: leafHash(''), newSize: size, newRoot: root, proof };
        expect(() => verifyConsistency(claim)).toThrow(TlogError);
      }),
      { numRuns: 1_000 },
    ));
});

describe('canonicalJson', () => {
  test('never fails otherwise than with its own error', () =>
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withNullPrototype: true,
          withTypedArray: true,
        }),
        (value) => {
          refusesOrReads(() => canonicalJson(value), Buffer.alloc(0));
        },
      ),
      { numRuns: 2_000 },
    ));
});
