import * as fc from 'fast-check';
import { refused } from '../test/refused';
import { bundlesOf, parseTilePath, type TileId, tilePath } from './tile-path';

const tiles: fc.Arbitrary<TileId> = fc.record({
  level: fc.oneof(fc.integer({ min: 0, max: 63 }), fc.constant('entries' as const)),
  index: fc.maxSafeNat(),
  width: fc.integer({ min: 1, max: 256 }),
});

describe('The path of a tile', () => {
  test.each<[TileId, string]>([
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 0, index: 1_234_067, width: 256 }, 'tile/0/x001/x234/067'],
    [{ level: 2, index: 999, width: 1 }, 'tile/2/999.p/1'],
    [{ level: 63, index: 1_000, width: 255 }, 'tile/63/x001/000.p/255'],
    [{ level: 'entries', index: 273, width: 112 }, 'tile/entries/273.p/112'],
  ])('is as the specification says: %j', (tile, path) => {
    expect(tilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual(tile);
  });

  test('is read back, whatever the tile', () =>
    fc.assert(fc.property(tiles, (tile) => expect(parseTilePath(tilePath(tile))).toEqual(tile))));

  test.each([
    '',
    'tile',
    '/tile/0/000',
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/0/0',
    'tile/0/0000',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/x001/x002',
    'tile/0/000.p/0',
    'tile/0/000.p/01',
    'tile/0/000.p/256',
    'tile/0/000.p/',
    'tile/0/000\n',
    'tile/entries/00a',
    'tile/0/x009/x007/x199/x254/x740/993',
    `tile/0/${'x000/'.repeat(100)}000`,
  ])('has no other spelling: %s', (path) =>
    expect(() => parseTilePath(path)).toThrow(refused('malformed_path')),
  );

  test('is refused for what is no tile', () => {
    for (const broken of [
      { level: 64 },
      { level: 0.5 },
      { index: -1 },
      { index: 2 ** 53 },
      { width: 0 },
      { width: 257 },
    ]) {
      expect(() => tilePath({ level: 0, index: 0, width: 1, ...broken })).toThrow(refused('bad_argument'));
    }
  });

  test('of bundles, for a log of 600', () =>
    expect([...bundlesOf(600)].map(tilePath)).toEqual([
      'tile/entries/000',
      'tile/entries/001',
      'tile/entries/002.p/88',
    ]));
});
