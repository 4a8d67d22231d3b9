import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { MemoryTiles } from '../test/memory-tiles';
import { entriesOf } from '../test/naive-tree';
import { tileId } from './append-to-tiles';
import { canonicalJson } from './canonical-json';
import { formatCheckpoint, parseCheckpoint } from './checkpoint';
import { encodeEntryBundle } from './entry-bundle';
import { Frontier } from './frontier';
import { leafHash } from './hashing';
import { formatVerifierKey, parseSignerKey, parseVerifierKey } from './note-keys';
import { formatNote } from './note-text';
import { formatProofFile, parseProofFile, verifyProofFile } from './proof-file';
import { verifyConsistency, verifyInclusion } from './proof-verification';
import { openNote, signNote, signText } from './signed-note';
import { bundlesOf, tilePath } from './tile-path';
import { consistencyProof, inclusionProof, rootFromTiles } from './tile-proofs';
import { TlogError } from './tlog.errors';
import { Witness } from './witness';
import { parseAddCheckpoint, parseCosignatures } from './witness-protocol';

const readVectors = (name: string): unknown =>
  JSON.parse(readFileSync(path.join(__dirname, '../test/vectors', name), 'utf8'));

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const bytes = (text: string): Buffer => Buffer.from(text, 'base64');

const LEAVES = 70_000;
const entries = entriesOf(LEAVES);
const leaves = entries.map((entry) => leafHash(entry));
const whole = new MemoryTiles();
whole.append(leaves);

interface TreeVector {
  readonly size: number;
  readonly root: string;
  readonly tiles: Readonly<Record<string, string>>;
}

describe('Trees of golang.org/x/mod/sumdb/tlog and filippo.io/torchwood', () => {
  test.each(readVectors('trees.json') as TreeVector[])(
    'of $size leaves, every tile and bundle',
    async (vector) => {
      const log = new MemoryTiles();
      log.append(leaves.slice(0, vector.size));
      const frontier = Frontier.empty();
      for (const leaf of leaves.slice(0, vector.size)) frontier.append(leaf);
      expect(base64(frontier.root())).toBe(vector.root);
      expect(base64(await rootFromTiles(log, vector.size))).toBe(vector.root);
      const tiles = [...log.tiles.values()].map((tile) => [tilePath(tileId(tile)), sha256(tile.hashes)]);
      const bundles = [...bundlesOf(vector.size)].map((bundle) => {
        const from = bundle.index * 256;
        return [tilePath(bundle), sha256(encodeEntryBundle(entries.slice(from, from + bundle.width)))];
      });
      expect(Object.fromEntries([...tiles, ...bundles])).toEqual(vector.tiles);
    },
  );
});

interface ProofVector {
  readonly size: number;
  readonly root: string;
  readonly index?: number;
  readonly oldSize?: number;
  readonly oldRoot?: string;
  readonly proof: readonly string[];
}

describe('Proofs of golang.org/x/mod/sumdb/tlog', () => {
  const vectors = readVectors('proofs.json') as ProofVector[];

  test('of inclusion', async () => {
    const inclusions = vectors.filter(({ index }) => index !== undefined);
    expect(inclusions).toHaveLength(120);
    for (const { size, index = 0, root, proof } of inclusions) {
      expect((await inclusionProof(whole, index, size)).map(base64)).toEqual(proof);
      verifyInclusion({ leafHash: leaves[index]!, index, size, root: bytes(root), proof: proof.map(bytes) });
    }
  });

  test('of consistency', async () => {
    const consistencies = vectors.filter(({ oldSize }) => oldSize !== undefined);
    expect(consistencies).toHaveLength(120);
    for (const { size, oldSize = 0, root, oldRoot = '', proof } of consistencies) {
      expect((await consistencyProof(whole, oldSize, size)).map(base64)).toEqual(proof);
      const claim = {
        oldSize,
        oldRoot: bytes(oldRoot),
        newSize: size,
        newRoot: bytes(root),
        proof: proof.map(bytes),
      };
      verifyConsistency(claim);
    }
  });
});

interface CheckpointVector {
  readonly size: number;
  readonly root: string;
  readonly extension: string;
  readonly text: string;
  readonly signed: string;
  readonly cosigned: readonly string[];
  readonly index: number;
  readonly proofFile: string;
  readonly extra: string;
}

interface NoteVectors {
  readonly logKey: string;
  readonly logVerifier: string;
  readonly witnessKey: string;
  readonly witnessVerifier: string;
  readonly checkpoints: readonly CheckpointVector[];
  readonly changed: readonly { readonly note: string; readonly outcome: string }[];
}

const notes = readVectors('notes.json') as NoteVectors;
const log = parseSignerKey(notes.logKey);
const witness = parseSignerKey(notes.witnessKey);

describe('Notes of golang.org/x/mod/sumdb/note, torchwood and transparency-dev/formats', () => {
  test('keys', () => {
    expect(formatVerifierKey(log)).toBe(notes.logVerifier);
    expect(formatVerifierKey(witness)).toBe(notes.witnessVerifier);
  });

  test.each(notes.checkpoints)(
    'a checkpoint of $size leaves, its signature and its cosignatures',
    (vector) => {
      const { size, root, extension, text, signed, cosigned } = vector;
      const extensions = extension.split('\n').slice(0, -1);
      expect(formatCheckpoint({ origin: log.name, size, root: bytes(root), extensions })).toBe(text);
      expect(parseCheckpoint(text)).toMatchObject({ size: BigInt(size), extensions });
      expect(signNote(text, [log])).toBe(signed);
      expect(cosigned).toHaveLength(2);
      for (const note of cosigned) {
        const { signatures } = openNote(note, [
          parseVerifierKey(notes.logVerifier),
          parseVerifierKey(notes.witnessVerifier),
        ]);
        const again = [signText(text, log), signText(text, witness, signatures[1]?.cosignedAt)];
        expect(formatNote({ text, signatures: again })).toBe(note);
      }
    },
  );

  test('changed at random: what one refuses the other does', () => {
    const outcomes = notes.changed.map(({ note }) => outcomeOf(() => openNote(note, [log, witness])));
    // Go looks line by line, so a bad signature before a malformed line is what it sees first.
    const isSame = notes.changed.map(({ outcome }, at) =>
      (outcome === 'bad_signature' ? [outcome, 'malformed_note'] : [outcome]).includes(outcomes[at] ?? ''),
    );
    expect(isSame).toEqual(Array.from({ length: 400 }, () => true));
    expect(new Set(outcomes)).toEqual(new Set(['opened', 'bad_signature', 'malformed_note']));
  });
});

function outcomeOf(open: () => void): string {
  try {
    open();
    return 'opened';
  } catch (error) {
    return error instanceof TlogError ? error.code : String(error);
  }
}

describe('Proof files of torchwood and transparency-dev/formats', () => {
  const withProof = notes.checkpoints.filter(({ proofFile }) => proofFile !== '');

  test.each(withProof)('of a tree of $size leaves', async ({ size, index, signed, proofFile, extra }) => {
    const proof = await inclusionProof(whole, index, size);
    const fields = { index, proof, checkpoint: signed, ...(extra && { extra: bytes(extra) }) };
    expect(formatProofFile(fields)).toBe(proofFile);
    expect(parseProofFile(proofFile)).toEqual({ ...fields, index: BigInt(index) });
    const policy = { origin: log.name, logKeys: [log] };
    expect(verifyProofFile(proofFile, { entry: entries[index]! }, policy).index).toBe(BigInt(index));
  });
});

interface WitnessVectors {
  readonly logVerifier: string;
  readonly witnessVerifier: string;
  readonly exchanges: readonly Exchange[];
}

interface Exchange {
  readonly what: string;
  readonly request: string;
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

describe("Exchanges with torchwood's litewitness", () => {
  const { logVerifier, witnessVerifier, exchanges } = readVectors('witness.json') as WitnessVectors;
  const ours = new Witness(witness, new Map([[log.name, [parseVerifierKey(logVerifier)]]]));

  // In their order: each finds the witness as the one before left it.
  test.each(exchanges)('$what: $status', ({ request, status, contentType, body }) => {
    const answer = ours.addCheckpoint(request);
    expect([answer.status, answer.contentType]).toEqual([status, contentType]);
    if (status === 409) expect(answer.body).toBe(body);
    if (status !== 200) return;
    const { checkpoint } = parseAddCheckpoint(request);
    const [theirs] = parseCosignatures(body, checkpoint, [parseVerifierKey(witnessVerifier)]);
    expect(theirs?.cosignedAt).toBeGreaterThan(1_700_000_000n);
    expect(parseCosignatures(answer.body, checkpoint, [witness])).toHaveLength(1);
  });
});

describe('Canonical JSON of cyberphone/json-canonicalization', () => {
  const vectors = readVectors('canonical-json.json') as { input: string; output: string }[];

  test('all of it', () => {
    expect(vectors).toHaveLength(136);
    for (const { input, output } of vectors) expect(canonicalJson(JSON.parse(input))).toBe(output);
  });
});
