import { MemoryTiles } from '../test/memory-tiles';
import { entriesOf } from '../test/naive-tree';
import { refused } from '../test/refused';
import { formatCheckpoint } from './checkpoint';
import { leafHash } from './hashing';
import { generateSignerKey } from './note-keys';
import { type LogPolicy, openCheckpoint } from './open-checkpoint';
import { formatProofFile, parseProofFile, verifyProofFile } from './proof-file';
import { addSignatures, signNote, signText } from './signed-note';
import { inclusionProof, rootFromTiles } from './tile-proofs';
import { TlogError } from './tlog.errors';

const log = generateSignerKey('example.com/log');
const nextLogKey = generateSignerKey('example.com/log');
const witnesses = ['w1', 'w2', 'w3'].map((name) =>
  generateSignerKey(`witness.example/${name}`, 'cosignature/v1'),
);
const entries = entriesOf(300);
const policy: LogPolicy = { origin: 'example.com/log', logKeys: [log] };

async function prove(
  index: number,
  size = 300,
): Promise<{ file: string; checkpoint: string; proof: Buffer[] }> {
  const tiles = new MemoryTiles();
  tiles.append(entries.slice(0, size).map((entry) => leafHash(entry)));
  const text = formatCheckpoint({ origin: log.name, size, root: await rootFromTiles(tiles, size) });
  const cosigned = witnesses.slice(0, 2).map((witness) => signText(text, witness));
  const checkpoint = addSignatures(signNote(text, [log]), cosigned);
  const proof = await inclusionProof(tiles, index, size);
  return {
    file: formatProofFile({ index, proof, checkpoint, extra: Buffer.from('beside') }),
    checkpoint,
    proof,
  };
}

const quorumOf = (quorum: number, keys = witnesses): LogPolicy => ({
  ...policy,
  witnesses: { keys, quorum },
});

describe('A proof file', () => {
  test('proves an entry, or its hash, offline', async () => {
    const { file } = await prove(77);
    const verified = verifyProofFile(file, { entry: entries[77]! }, policy);
    expect(verified).toMatchObject({ index: 77n, extra: Buffer.from('beside'), checkpoint: { size: 300n } });
    expect(verifyProofFile(Buffer.from(file), { leafHash: leafHash(entries[77]!) }, policy).index).toBe(77n);
  });

  test('proves no other entry', async () => {
    const { file } = await prove(77);
    expect(() => verifyProofFile(file, { entry: entries[78]! }, policy)).toThrow(refused('wrong_proof'));
    expect(() => verifyProofFile(file, { leafHash: Buffer.alloc(31) }, policy)).toThrow(
      refused('wrong_proof'),
    );
  });

  test('of a log of one entry has no hashes', async () => {
    const { file, proof } = await prove(0, 1);
    expect(proof).toEqual([]);
    expect(verifyProofFile(file, { entry: '' }, policy).checkpoint.size).toBe(1n);
  });

  test('changed in any byte is refused, but for what nobody signs', async () => {
    const file = Buffer.from((await prove(77)).file);
    const unsigned = file.indexOf('extra ') + 'extra '.length;
    for (let at = 0; at < file.length; at++) {
      if (at >= unsigned && at < file.indexOf('\n', unsigned)) continue;
      for (const bit of [1, 4, 32, 128]) {
        const changed = Buffer.from(file);
        changed[at] = (changed[at] ?? 0) ^ bit;
        expect(() => verifyProofFile(changed, { entry: entries[77]! }, quorumOf(2))).toThrow(TlogError);
      }
    }
  });

  test.each([
    ['another version', (file: string) => file.replace('proof@v1', 'proof@v2')],
    ['no index', (file: string) => file.replace(/index .*\n/, '')],
    ['an index with a leading zero', (file: string) => file.replace('index 77', 'index 077')],
    ['two spaces', (file: string) => file.replace('index 77', 'index  77')],
    ['extra data that is no base64', (file: string) => file.replace(/extra .*/, 'extra ?')],
    ['the extra line behind the index', (file: string) => file.replace(/(extra .*\n)(index .*\n)/, '$2$1')],
    ['a short hash', (file: string) => file.replace('index 77\n', 'index 77\nAAAA\n')],
    [
      '65 hashes',
      (file: string) => file.replace(/\n\n/, `\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(65)}\n`),
    ],
    ['no blank line', (file: string) => file.replaceAll('\n\n', '\n')],
    ['a carriage return', (file: string) => file.replace('index 77', 'index 77\r')],
  ])('is malformed with %s', async (_, change) => {
    const { file } = await prove(77);
    expect(() => parseProofFile(change(file))).toThrow(refused('malformed_proof'));
  });

  test('has a checkpoint', async () => {
    const { file, checkpoint } = await prove(77);
    expect(() => parseProofFile(file.replace(checkpoint, ''))).toThrow(refused('malformed_note'));
    const other = signNote('text\n', [log]);
    expect(() => parseProofFile(file.replace(checkpoint, other))).toThrow(refused('malformed_checkpoint'));
  });

  test('has at most 2 MB', async () => {
    const { checkpoint, proof } = await prove(77);
    const fields = { index: 77, proof, checkpoint, extra: Buffer.alloc(2_000_000) };
    expect(() => formatProofFile(fields)).toThrow(refused('too_large'));
  });
});

describe('A policy', () => {
  test('counts witnesses', async () => {
    const { checkpoint } = await prove(77);
    expect(openCheckpoint(checkpoint, quorumOf(2)).signatures.map(({ name }) => name)).toEqual([
      'example.com/log',
      'witness.example/w1',
      'witness.example/w2',
    ]);
    expect(() => openCheckpoint(checkpoint, quorumOf(3))).toThrow(refused('too_few_witnesses'));
    expect(openCheckpoint(checkpoint, quorumOf(0, [])).unknown).toHaveLength(2);
  });

  test('counts two keys of one witness once', async () => {
    const { checkpoint } = await prove(77);
    const { text } = openCheckpoint(checkpoint, policy);
    const [first] = witnesses;
    const renewed = generateSignerKey('witness.example/w1', 'cosignature/v1');
    const note = addSignatures(signNote(text, [log]), [signText(text, first!), signText(text, renewed)]);
    const both = [first!, renewed, witnesses[1]!];
    expect(openCheckpoint(note, quorumOf(1, both)).signatures).toHaveLength(3);
    expect(() => openCheckpoint(note, quorumOf(2, both))).toThrow(refused('too_few_witnesses'));
  });

  test('wants the log itself, by any of its keys', async () => {
    const { checkpoint } = await prove(77);
    const byNext = { ...policy, logKeys: [nextLogKey, log] };
    expect(openCheckpoint(checkpoint, byNext).size).toBe(300n);
    const { text } = openCheckpoint(checkpoint, policy);
    const byWitness = signNote(text, [witnesses[0]!]);
    expect(() => openCheckpoint(byWitness, quorumOf(1))).toThrow(refused('unsigned'));
    expect(() => openCheckpoint(checkpoint, { ...policy, logKeys: [nextLogKey] })).toThrow(
      refused('unsigned'),
    );
  });

  test('wants the log that it is about', async () => {
    const other = generateSignerKey('example.com/other');
    const text = formatCheckpoint({ origin: 'example.com/other', size: 1, root: leafHash('') });
    const policyOfOther = { ...policy, logKeys: [log, other] };
    expect(() => openCheckpoint(signNote(text, [other]), policyOfOther)).toThrow(refused('wrong_origin'));
  });

  test('is refused when nothing could satisfy it, or anything', async () => {
    const { checkpoint } = await prove(77);
    for (const broken of [
      { ...policy, logKeys: [] },
      quorumOf(4),
      quorumOf(-1),
      quorumOf(1.5),
      quorumOf(1, [log]),
    ]) {
      expect(() => openCheckpoint(checkpoint, broken)).toThrow(refused('bad_argument'));
    }
  });
});
