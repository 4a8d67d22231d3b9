import { randomBytes } from 'node:crypto';
import type { Caller } from '@holdfast/kernel';
import { CursorInvalid } from '@holdfast/cqrs';
import { isLater, NOTHING, readSnapshot, type Snapshot, writeSnapshot } from './snapshot';
import { AFTER_MAX, decodePosition, encodePosition, type TailPosition } from './tail-cursor';

const caller = { tenantId: 'a' } as Caller;
const many: Snapshot = {
  xmin: 7_000_000n,
  xmax: 7_002_000n,
  open: Array.from({ length: 500 }, (_, index) => 7_000_000n + 4n * BigInt(index)),
};
const positions: readonly TailPosition[] = [
  { lineage: 1n, from: NOTHING, to: null, afterSeq: 0n },
  { lineage: 3n, from: readSnapshot('745:749:745,747'), to: readSnapshot('749:749:'), afterSeq: 12_345n },
  { lineage: 1n, from: many, to: { ...many, xmax: 7_002_001n }, afterSeq: 2n ** 62n },
  { lineage: 1n, from: readSnapshot('9223372036854775800:9223372036854775807:'), to: null, afterSeq: 1n },
];

describe('A snapshot', () => {
  it('is read and written as PostgreSQL does', () => {
    for (const text of ['1:1:', '745:749:745,747', '10:20:10,11,12'])
      expect(writeSnapshot(readSnapshot(text))).toBe(text);
  });

  it('is later when transactions have begun, or ended, since', () => {
    const order = ['1:1:', '5:9:5,7', '5:9:5', '9:9:', '9:10:9', '10:10:'].map(readSnapshot);
    for (const [index, one] of order.entries())
      for (const [other, snapshot] of order.entries()) expect(isLater(one, snapshot)).toBe(index > other);
  });
});

describe('A cursor of the tail', () => {
  it('says where its reader stood, whatever is open', () => {
    for (const position of positions)
      expect(decodePosition(caller, encodePosition(caller, position))).toEqual(position);
  });

  it('is short as long as few transactions are open, and fits into a header with hundreds', () => {
    expect(encodePosition(caller, positions[1]!).length).toBeLessThan(48);
    expect(encodePosition(caller, positions[2]!).length).toBeLessThan(1_500);
  });

  it('names a thousand open transactions, and shows less where there are more', () => {
    const open = Array.from({ length: 1_500 }, (_, index) => 7_000_000n + 9_000n * BigInt(index));
    const crowd: Snapshot = { xmin: 7_000_000n, xmax: 30_000_000n, open };
    const cursor = encodePosition(caller, { lineage: 1n, from: crowd, to: crowd, afterSeq: 1n });
    expect(cursor.length).toBeLessThan(AFTER_MAX);
    const { from } = decodePosition(caller, cursor);
    expect(from).toEqual({ xmin: 7_000_000n, xmax: open[1_000], open: open.slice(0, 1_000) });
    expect(isLater(crowd, from)).toBe(true);
  });

  it('is refused to another tenant', () => {
    const cursor = encodePosition(caller, positions[1]!);
    expect(() => decodePosition({ ...caller, tenantId: 'b' }, cursor)).toThrow(CursorInvalid);
  });

  it('is refused when a bit of it is another', () => {
    const bytes = Buffer.from(encodePosition(caller, positions[1]!), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodePosition(caller, changed.toString('base64url'))).toThrow(CursorInvalid);
    }
  });

  it('is refused when it is anything else', () => {
    for (const text of ['', 'null', '0', 'x'.repeat(8_000), randomBytes(60).toString('base64url'), '🦊'])
      expect(() => decodePosition(caller, text)).toThrow(CursorInvalid);
  });

  it('is no snapshot but one that PostgreSQL takes, also with the right digest', () => {
    const wrong: Snapshot[] = [
      { xmin: 0n, xmax: 5n, open: [] },
      { xmin: 5n, xmax: 9n, open: [9n] },
      { xmin: 5n, xmax: 9n, open: [6n, 6n] },
      { xmin: 5n, xmax: 2n ** 63n, open: [] },
    ];
    for (const from of wrong) {
      const cursor = encodePosition(caller, { lineage: 1n, from, to: null, afterSeq: 0n });
      expect(() => decodePosition(caller, cursor)).toThrow(CursorInvalid);
    }
  });
});
