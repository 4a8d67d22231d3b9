import { refused } from '../test/refused';
import { createHash, randomBytes } from 'node:crypto';
import { emptyRoot, leafHash, nodeHash } from './hashing';

const sha256 = (...parts: Uint8Array[]): string =>
  createHash('sha256').update(Buffer.concat(parts)).digest('hex');

describe('Hashing', () => {
  test.each([0, 1, 500, 8_190, 8_191, 8_192, 8_193, 70_000])('a leaf of %i bytes', (bytes) => {
    const entry = randomBytes(bytes);
    expect(leafHash(entry).toString('hex')).toBe(sha256(Buffer.of(0), entry));
  });

  test.each([
    '',
    'plain',
    'é — 😀',
    'a'.repeat(2_730),
    'ü'.repeat(2_731),
    '漢'.repeat(2_731),
    '漢'.repeat(30_000),
  ])('a text is hashed as its UTF-8', (text) =>
    expect(leafHash(text).toString('hex')).toBe(sha256(Buffer.of(0), Buffer.from(text))),
  );

  test('a node, and the tree without leaves', () => {
    const [left, right] = [randomBytes(32), randomBytes(32)];
    expect(nodeHash(left, right).toString('hex')).toBe(sha256(Buffer.of(1), left, right));
    expect(emptyRoot().toString('hex')).toBe(sha256());
  });

  test('a hash that was given out stays as it is', () => {
    const first = leafHash('first');
    const copy = Buffer.from(first);
    leafHash('second');
    nodeHash(randomBytes(32), randomBytes(32));
    expect(first).toEqual(copy);
  });

  test('refuses a node of anything but two hashes', () => {
    expect(() => nodeHash(randomBytes(31), randomBytes(32))).toThrow(refused('bad_argument'));
  });
});
