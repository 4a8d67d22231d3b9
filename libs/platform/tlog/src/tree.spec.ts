import * as fc from 'fast-check';
import { refused } from '../test/refused';
import { MemoryTiles } from '../test/memory-tiles';
import { entriesOf, NaiveTree } from '../test/naive-tree';
import { appendToTiles } from './append-to-tiles';
import { checkTiles } from './check-tiles';
import { Frontier } from './frontier';
import { leafHash } from './hashing';
import { verifyConsistency, verifyInclusion } from './proof-verification';
import { edgeTiles, tileAt, tilePath, tilesOf } from './tile-path';
import { consistencyProof, inclusionProof, rootFromTiles } from './tile-proofs';

const naive = new NaiveTree(entriesOf(70_000));
const leaves = naive.entries.map((entry) => leafHash(entry));

function treeOf(size: number): MemoryTiles {
  const tiles = new MemoryTiles();
  tiles.append(leaves.slice(0, size));
  return tiles;
}

function frontierOf(size: number): Frontier {
  const frontier = Frontier.empty();
  for (const leaf of leaves.slice(0, size)) frontier.append(leaf);
  return frontier;
}

const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');
const hexes = (hashes: readonly Uint8Array[]): string[] => hashes.map(hex);

describe('A tree', () => {
  test('has one root, by its definition, its frontier and its tiles, at every size from 0 to 600', async () => {
    const tiles = new MemoryTiles();
    const frontier = Frontier.empty();
    for (let size = 0; size <= 600; size++) {
      expect(hex(frontier.root())).toBe(hex(naive.root(0, size)));
      expect(hex(await rootFromTiles(tiles, size))).toBe(hex(naive.root(0, size)));
      tiles.append(leaves.slice(size, size + 1));
      frontier.append(leaves[size]!);
    }
  });

  test.each([65_535, 65_536, 65_537, 70_000])('has one root at size %i, over three levels', async (size) => {
    const root = naive.root(0, size);
    expect(hex(await rootFromTiles(treeOf(size), size))).toBe(hex(root));
    expect(hex(frontierOf(size).root())).toBe(hex(root));
  });

  test('is the same in whatever batches it grew, and its earlier sizes can still be read', async () => {
    const whole = treeOf(1_500);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(600), { maxLength: 12 }), fc.nat(1_500), async (batches, earlier) => {
        const tiles = new MemoryTiles();
        for (const batch of [...batches, 1_500])
          tiles.append(leaves.slice(tiles.size, Math.min(tiles.size + batch, 1_500)));
        expect(tiles.contents()).toEqual(whole.contents());
        expect(hex(await rootFromTiles(tiles, earlier))).toBe(hex(naive.root(0, earlier)));
      }),
      { numRuns: 60 },
    );
  });

  test('grows without touching what it was given', () => {
    const edge = [{ level: 0, index: 0, hashes: Buffer.concat(leaves.slice(0, 3)) }];
    const before = Buffer.from(edge[0]!.hashes);
    const [grown] = appendToTiles(3, edge, leaves.slice(3, 5));
    grown!.hashes.fill(0);
    expect(edge[0]!.hashes).toEqual(before);
    expect(leaves[3]).toEqual(naive.leaf(3));
  });

  test('refuses an edge that is not its own', () => {
    const edge = { level: 0, index: 0, hashes: Buffer.concat(leaves.slice(0, 3)) };
    expect(() => appendToTiles(4, [edge], leaves)).toThrow(refused('bad_argument'));
    expect(() => appendToTiles(3, [], leaves)).toThrow(refused('bad_argument'));
    expect(() => appendToTiles(3, [edge, { ...edge, level: 1 }], leaves)).toThrow(refused('bad_argument'));
    expect(() => appendToTiles(3, [{ ...edge, index: 1 }], leaves)).toThrow(refused('bad_argument'));
    expect(() => appendToTiles(3, [edge], [Buffer.alloc(31)])).toThrow(refused('bad_argument'));
  });
});

describe('All tiles of a tree', () => {
  test.each([0, 1, 255, 256, 600, 66_000])('of %i leaves are of one piece', async (size) => {
    expect(hex(await checkTiles(treeOf(size), size))).toBe(hex(naive.root(0, size)));
  });

  test('are not, when a bit of any of them differs, but for those that the root tells', async () => {
    const tiles = treeOf(66_000);
    for (const tile of [...tiles.tiles.values()].filter((_, at) => at % 16 === 0 || at > 255)) {
      const isEdge = tile.hashes.length < 256 * 32;
      const at = (tile.index * 37 + tile.level) % tile.hashes.length;
      tile.hashes[at] = (tile.hashes[at] ?? 0) ^ 4;
      const outcome = await checkTiles(tiles, 66_000).catch((error: unknown) => error);
      if (!isEdge || tile.level > 0) expect(outcome).toEqual(refused('wrong_tiles'));
      else expect(hex(outcome as Buffer)).not.toBe(hex(naive.root(0, 66_000)));
      tile.hashes[at] = (tile.hashes[at] ?? 0) ^ 4;
    }
  });
});

describe('A frontier', () => {
  test('goes on from where it was left', () => {
    for (let size = 0; size < 300; size++) {
      const taken = Frontier.from(size, frontierOf(size).hashes);
      for (const leaf of leaves.slice(size, 300)) taken.append(leaf);
      expect(hex(taken.root())).toBe(hex(naive.root(0, 300)));
    }
  });

  test('has copies that grow by themselves', () => {
    const frontier = frontierOf(5);
    const copy = frontier.copy();
    copy.append(leaves[5]!);
    expect([frontier.size, copy.size]).toEqual([5, 6]);
    expect(hex(frontier.root())).toBe(hex(naive.root(0, 5)));
  });

  test('refuses hashes that are not those of its size', () => {
    expect(() => Frontier.from(3, leaves.slice(0, 1))).toThrow(refused('bad_argument'));
    expect(() => Frontier.from(2n ** 53n, leaves.slice(0, 1))).toThrow(refused('bad_argument'));
    expect(() => Frontier.from(1, [Buffer.alloc(31)])).toThrow(refused('bad_argument'));
  });
});

describe('Tiles', () => {
  test('are those that the specification counts for 70,000 leaves', () => {
    const tiles = [...tilesOf(70_000)];
    expect(tiles.filter(({ level, width }) => level === 0 && width === 256)).toHaveLength(273);
    expect(tiles.slice(273).map(tilePath)).toEqual([
      'tile/0/273.p/112',
      'tile/1/000',
      'tile/1/001.p/17',
      'tile/2/000.p/1',
    ]);
    expect(edgeTiles(70_000).map(tilePath)).toEqual([
      'tile/0/273.p/112',
      'tile/1/001.p/17',
      'tile/2/000.p/1',
    ]);
    expect([...tilesOf(256)].map(tilePath)).toEqual(['tile/0/000', 'tile/1/000.p/1']);
  });

  test('stand where the tree has them, at every size from 0 to 600', () => {
    for (let size = 0; size <= 600; size++) {
      const listed = [...tilesOf(size)];
      expect(Object.keys(treeOf(size).contents())).toEqual(listed.map(tilePath).toSorted());
      expect(listed.map(({ level, index }) => tileAt(size, level, index))).toEqual(listed);
      expect(edgeTiles(size)).toEqual(listed.filter(({ width }) => width < 256));
    }
  });
});

describe('Proofs from tiles', () => {
  test('are those of the definition and verify, for every leaf and size up to 70', async () => {
    const tiles = treeOf(70);
    for (let size = 1; size <= 70; size++) {
      for (let index = 0; index < size; index++) {
        const proof = await inclusionProof(tiles, index, size);
        expect(hexes(proof)).toEqual(hexes(naive.path(index, size)));
        const root = naive.root(0, size);
        verifyInclusion({ leafHash: leaves[index]!, index, size, root, proof });
        const other = { leafHash: leaves[index]!, index: (index + 1) % size, size, root, proof };
        if (size > 1) expect(() => verifyInclusion(other)).toThrow(refused('wrong_proof'));
      }
    }
  });

  test('are those of the definition and verify, between all sizes up to 70', async () => {
    const tiles = treeOf(70);
    for (let newSize = 1; newSize <= 70; newSize++) {
      for (let oldSize = 1; oldSize <= newSize; oldSize++) {
        const proof = await consistencyProof(tiles, oldSize, newSize);
        expect(hexes(proof)).toEqual(hexes(naive.consistency(oldSize, newSize)));
        const [oldRoot, newRoot] = [naive.root(0, oldSize), naive.root(0, newSize)];
        verifyConsistency({ oldSize, oldRoot, newSize, newRoot, proof });
      }
    }
  });

  test('do not verify with a bit changed, nor with the root of another tree', async () => {
    const tiles = treeOf(70);
    for (const [oldSize, newSize] of [
      [1, 2],
      [6, 7],
      [7, 40],
      [8, 40],
      [63, 64],
      [33, 70],
    ] as const) {
      const proof = await consistencyProof(tiles, oldSize, newSize);
      const claim = {
        oldSize,
        oldRoot: naive.root(0, oldSize),
        newSize,
        newRoot: naive.root(0, newSize),
        proof,
      };
      const broken = [
        { ...claim, oldRoot: leaves[69]! },
        { ...claim, newRoot: leaves[69]! },
        { ...claim, proof: [...proof, leaves[69]!] },
        { ...claim, proof: proof.slice(1) },
        ...proof.map((_, at) => ({ ...claim, proof: proof.with(at, leaves[69]!) })),
      ];
      for (const each of broken) expect(() => verifyConsistency(each)).toThrow(refused('wrong_proof'));
    }
  });

  test('are those of the definition over tiles of three levels, each read once', async () => {
    const tiles = treeOf(70_000);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 70_000 }), fc.nat(), fc.nat(), async (size, leaf, old) => {
        const [index, oldSize] = [leaf % size, 1 + (old % size)];
        tiles.read.length = 0;
        expect(hexes(await inclusionProof(tiles, index, size))).toEqual(hexes(naive.path(index, size)));
        expect(new Set(tiles.read.map(tilePath)).size).toBe(tiles.read.length);
        tiles.read.length = 0;
        expect(hexes(await consistencyProof(tiles, oldSize, size))).toEqual(
          hexes(naive.consistency(oldSize, size)),
        );
        expect(new Set(tiles.read.map(tilePath)).size).toBe(tiles.read.length);
      }),
      { numRuns: 200 },
    );
  });

  test('ask for tiles as wide as the tree of their size has them', async () => {
    const tiles = treeOf(700);
    await inclusionProof(tiles, 300, 400);
    expect(tiles.read.map(tilePath).toSorted()).toEqual(['tile/0/001.p/144', 'tile/1/000.p/1']);
  });

  test('are refused over tiles that are short, odd or missing', async () => {
    const reading = (...contents: Buffer[]) => ({ readTiles: async () => contents });
    await expect(rootFromTiles(reading(Buffer.alloc(64)), 3)).rejects.toEqual(refused('missing_hashes'));
    await expect(rootFromTiles(reading(), 3)).rejects.toEqual(refused('missing_hashes'));
    await expect(rootFromTiles(reading(Buffer.alloc(97)), 3)).rejects.toEqual(refused('malformed_tile'));
    await expect(rootFromTiles(reading(Buffer.alloc(257 * 32)), 3)).rejects.toEqual(
      refused('malformed_tile'),
    );
    await expect(inclusionProof(treeOf(3), 3, 3)).rejects.toEqual(refused('bad_argument'));
    await expect(consistencyProof(treeOf(3), 3, 2)).rejects.toEqual(refused('bad_argument'));
  });
});
