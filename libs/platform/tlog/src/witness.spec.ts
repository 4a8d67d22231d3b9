import { hash } from 'node:crypto';
import { cosignatureAt } from '../test/cosignature-at';
import { MemoryTiles } from '../test/memory-tiles';
import { entriesOf } from '../test/naive-tree';
import { refused } from '../test/refused';
import { formatCheckpoint } from './checkpoint';
import { emptyRoot, leafHash } from './hashing';
import { generateSignerKey, type SignerKey } from './note-keys';
import { formatSignature } from './note-text';
import { type OfferOutcome, offerCheckpoint, type WitnessTransport } from './offer-checkpoint';
import { openCheckpoint } from './open-checkpoint';
import { addSignatures, signNote } from './signed-note';
import { consistencyProof, rootFromTiles } from './tile-proofs';
import { Witness } from './witness';
import {
  formatAddCheckpoint,
  parseAddCheckpoint,
  parseCosignatures,
  parseWitnessSize,
} from './witness-protocol';

const leaves = entriesOf(40).map((entry) => leafHash(entry));
const log = generateSignerKey('example.com/log');
const stranger = generateSignerKey('example.com/log');
const witnessKey = generateSignerKey('witness.example/w1', 'cosignature/v1');
const originHash = hash('sha256', 'example.com/log');

const tiles = new MemoryTiles();
tiles.append(leaves);
const fork = new MemoryTiles();
fork.append([...leaves.slice(0, 5).toReversed(), ...leaves.slice(5)]);

const newWitness = (): Witness =>
  new Witness(witnessKey, new Map([['example.com/log', [log]]]), () => 1_679_315_147n);

async function checkpointOf(size: number, tree = tiles, key: SignerKey = log): Promise<string> {
  return signNote(formatCheckpoint({ origin: key.name, size, root: await rootFromTiles(tree, size) }), [key]);
}

async function add(witness: Witness, oldSize: number, size: number, tree = tiles): Promise<[number, string]> {
  const proof = await consistencyProof(tree, Math.min(oldSize, size), size);
  const { status, body } = witness.addCheckpoint(
    formatAddCheckpoint(oldSize, proof, await checkpointOf(size, tree)),
  );
  return [status, body];
}

describe('A witness', () => {
  test('cosigns a log that grows, and again what it cosigned last', async () => {
    const witness = newWitness();
    const steps = [
      [0, 0],
      [0, 3],
      [3, 3],
      [3, 17],
      [17, 40],
    ] as const;
    for (const [oldSize, size] of steps) {
      const [status, body] = await add(witness, oldSize, size);
      expect(status).toBe(200);
      const [signature] = parseCosignatures(body, await checkpointOf(size), [witnessKey]);
      expect(signature).toMatchObject({ name: 'witness.example/w1', cosignedAt: 1_679_315_147n });
    }
  });

  test('gives its latest checkpoint, cosigned', async () => {
    const witness = newWitness();
    expect(witness.checkpoint(originHash).status).toBe(404);
    await add(witness, 0, 3);
    await add(witness, 3, 17);
    const { status, body } = witness.checkpoint(originHash);
    expect(status).toBe(200);
    const policy = { origin: log.name, logKeys: [log], witnesses: { keys: [witnessKey], quorum: 1 } };
    expect(openCheckpoint(body, policy).size).toBe(17n);
  });

  test('tells the size that it is at when it is asked from another', async () => {
    const witness = newWitness();
    expect(await add(witness, 2, 3)).toEqual([409, '0\n']);
    await add(witness, 0, 17);
    expect(await add(witness, 0, 20)).toEqual([409, '17\n']);
    expect(await add(witness, 3, 3)).toEqual([409, '17\n']);
    const proof: Buffer[] = [];
    const { contentType } = witness.addCheckpoint(formatAddCheckpoint(0, proof, await checkpointOf(20)));
    expect(contentType).toBe('text/x.tlog.size');
  });

  test('does not cosign a fork, a proof of something else, or an empty tree that is not empty', async () => {
    const witness = newWitness();
    const wrongEmpty = signNote(formatCheckpoint({ origin: log.name, size: 0, root: leafHash('') }), [log]);
    expect(witness.addCheckpoint(formatAddCheckpoint(0, [], wrongEmpty)).status).toBe(422);
    const needless = formatAddCheckpoint(0, [leafHash('')], await checkpointOf(3));
    expect(witness.addCheckpoint(needless).status).toBe(422);
    await add(witness, 0, 17);
    expect((await add(witness, 17, 20, fork))[0]).toBe(422);
    expect((await add(witness, 17, 17, fork))[0]).toBe(422);
    const shortened = (await consistencyProof(tiles, 17, 20)).slice(1);
    expect(witness.addCheckpoint(formatAddCheckpoint(17, shortened, await checkpointOf(20))).status).toBe(
      422,
    );
    expect((await add(witness, 17, 20))[0]).toBe(200);
  });

  test('answers 404 to other logs, 403 to other keys, 400 to the rest', async () => {
    const witness = newWitness();
    const other = generateSignerKey('example.com/other');
    expect(
      witness.addCheckpoint(formatAddCheckpoint(0, [], await checkpointOf(3, tiles, other))).status,
    ).toBe(404);
    const forged = await checkpointOf(3, tiles, stranger);
    expect(witness.addCheckpoint(formatAddCheckpoint(0, [], forged)).status).toBe(403);
    const broken = (await checkpointOf(3)).replace('\n3\n', '\n4\n');
    expect(witness.addCheckpoint(formatAddCheckpoint(0, [], broken)).status).toBe(403);
    expect((await add(witness, 4, 3))[0]).toBe(400);
    expect(witness.addCheckpoint('old 0\n').status).toBe(400);
    expect(witness.addCheckpoint(Buffer.of(0xff)).status).toBe(400);
  });

  test('has a key for cosignatures', () =>
    expect(() => new Witness(log, new Map())).toThrow(refused('bad_argument')));
});

describe('A request to a witness', () => {
  test('is as the specification has it', async () => {
    const checkpoint = await checkpointOf(20);
    const proof = await consistencyProof(tiles, 17, 20);
    const body = formatAddCheckpoint(17, proof, checkpoint);
    const lines = proof.map((each) => each.toString('base64'));
    expect(body).toBe(['old 17', ...lines, '', checkpoint].join('\n'));
    expect(parseAddCheckpoint(body)).toEqual({ oldSize: 17n, proof, checkpoint });
  });

  test.each([
    ['no old size', (body: string) => body.slice(body.indexOf('\n') + 1)],
    ['a leading zero', (body: string) => body.replace('old 17', 'old 017')],
    ['no space', (body: string) => body.replace('old 17', 'old17')],
    ['a line that is no hash', (body: string) => body.replace('old 17\n', 'old 17\nAAAA\n')],
    [
      '64 hashes',
      (body: string) => body.replace('\n\n', `\n${`${emptyRoot().toString('base64')}\n`.repeat(64)}\n`),
    ],
    ['no blank line', (body: string) => body.replaceAll('\n\n', '\n')],
  ])('is malformed with %s', async (_, change) => {
    const body = formatAddCheckpoint(17, [], await checkpointOf(20));
    expect(() => parseAddCheckpoint(change(body))).toThrow(refused('malformed_request'));
  });

  test('has at most 63 hashes', async () =>
    expect(
      parseAddCheckpoint(formatAddCheckpoint(17, Array(63).fill(emptyRoot()), await checkpointOf(20))).proof,
    ).toHaveLength(63));

  test('has an answer that is a size, or signatures', async () => {
    expect(parseWitnessSize('20852163\n')).toBe(20_852_163n);
    for (const body of ['', '1', '01\n', '-1\n', '1\n\n', 'x\n', '18446744073709551616\n']) {
      expect(() => parseWitnessSize(body)).toThrow(refused('malformed_response'));
    }
    const checkpoint = await checkpointOf(3);
    for (const body of ['', '\n', 'nothing\n', '— a AAAA\n', 'é\ud800']) {
      expect(() => parseCosignatures(body, checkpoint, [witnessKey])).toThrow(refused('malformed_response'));
    }
    const timeless = cosignatureAt(
      0n,
      formatCheckpoint({ origin: log.name, size: 3, root: await rootFromTiles(tiles, 3) }),
      witnessKey,
    );
    expect(() => parseCosignatures(formatSignature(timeless), checkpoint, [witnessKey])).toThrow(
      refused('malformed_response'),
    );
    expect(() => parseCosignatures('x'.repeat(100_001), checkpoint, [witnessKey])).toThrow(
      refused('too_large'),
    );
  });
});

describe('An offer', () => {
  const address = { url: 'https://witness.example/prefix/', keys: [witnessKey] };

  async function offer(
    witness: Witness,
    knownSize: number,
    size: number,
    post?: WitnessTransport,
  ): Promise<OfferOutcome> {
    const inProcess: WitnessTransport = async (_, body) => witness.addCheckpoint(body);
    return await offerCheckpoint(post ?? inProcess, address, {
      checkpoint: await checkpointOf(size),
      knownSize,
      proofFrom: async (oldSize) => await consistencyProof(tiles, oldSize, size),
    });
  }

  test('comes back with cosignatures for the checkpoint', async () => {
    const outcome = await offer(newWitness(), 0, 17);
    expect(outcome.outcome).toBe('cosigned');
    const signatures = outcome.outcome === 'cosigned' ? outcome.signatures : [];
    const policy = { origin: log.name, logKeys: [log], witnesses: { keys: [witnessKey], quorum: 1 } };
    expect(openCheckpoint(addSignatures(await checkpointOf(17), signatures), policy).size).toBe(17n);
  });

  test('goes to add-checkpoint below the prefix', async () => {
    const witness = newWitness();
    const urls: string[] = [];
    await offer(witness, 0, 3, async (url, body) => {
      urls.push(url);
      return witness.addCheckpoint(body);
    });
    expect(urls).toEqual(['https://witness.example/prefix/add-checkpoint']);
  });

  test.each([[0], [3], [17], [20]])(
    'finds the size of a witness at 17 that the log takes to be at %i',
    async (known) => {
      const witness = newWitness();
      await add(witness, 0, 17);
      expect((await offer(witness, known, 20)).outcome).toBe('cosigned');
    },
  );

  test('of an older tree than the witness has seen says so', async () => {
    const witness = newWitness();
    await add(witness, 0, 20);
    expect(await offer(witness, 3, 17)).toEqual({ outcome: 'ahead', size: 20n });
    expect(await offer(witness, 20, 17)).toEqual({ outcome: 'ahead', size: 20n });
  });

  test('that is refused says how', async () => {
    const unknown = new Witness(witnessKey, new Map());
    expect(await offer(unknown, 0, 3)).toMatchObject({ outcome: 'refused', status: 404 });
    const witness = newWitness();
    await add(witness, 0, 17, fork);
    expect(await offer(witness, 17, 20)).toMatchObject({ outcome: 'refused', status: 422 });
    const broken = async () => ({ status: 503, body: 'x'.repeat(1_000) });
    expect(await offer(witness, 17, 20, broken)).toEqual({
      outcome: 'refused',
      status: 503,
      detail: 'x'.repeat(200),
    });
  });

  test('is not made forever to a witness whose size keeps changing', async () => {
    let size = 1;
    const moving = async () => ({ status: 409, body: `${size++}\n` });
    expect(await offer(newWitness(), 0, 20, moving)).toMatchObject({ outcome: 'refused', status: 409 });
    expect(size).toBe(4);
  });

  test('throws what the transport throws, and for an answer that is none', async () => {
    const witness = newWitness();
    const down = async () => await Promise.reject(new Error('connection refused'));
    await expect(offer(witness, 0, 3, down)).rejects.toThrow('connection refused');
    const same = async () => ({ status: 409, body: '0\n' });
    await expect(offer(witness, 0, 3, same)).rejects.toEqual(refused('malformed_response'));
    const empty = async () => ({ status: 200, body: '' });
    await expect(offer(witness, 0, 3, empty)).rejects.toEqual(refused('malformed_response'));
    const other = new Witness(
      generateSignerKey('witness.example/w2', 'cosignature/v1'),
      new Map([[log.name, [log]]]),
    );
    await expect(offer(other, 0, 3)).rejects.toEqual(refused('unsigned'));
    const late: WitnessTransport = async () =>
      newWitness().addCheckpoint(formatAddCheckpoint(0, [], await checkpointOf(4)));
    await expect(offer(witness, 0, 3, late)).rejects.toEqual(refused('bad_signature'));
  });
});
