import { createHash } from 'node:crypto';
import { assert, jsonValue, pre, property } from 'fast-check';
import { commitmentTo, decodeOpening, encodeOpening, isCommitment, openingOf } from './commitment';

/** JSON as PostgreSQL takes it: without lone surrogates. */
const json = jsonValue({ maxDepth: 3 }).filter((value) => JSON.stringify(value).isWellFormed());

describe('A commitment', () => {
  it('is the SHA-256 of 2, the salt and the canonical JSON of the value', () => {
    const salt = Buffer.alloc(32, 7);
    const text = '{"a":"\u00e9","b":1}';
    const digest = createHash('sha256')
      .update(Buffer.from([2]))
      .update(salt)
      .update(text)
      .digest('base64url');
    expect(commitmentTo({ salt, value: { b: 1, a: '\u00e9' } })).toEqual({ commitment: digest });
  });

  it('is opened by its salt and value, and comes back from how they are sealed', () => {
    assert(
      property(json, (value) => {
        const opening = openingOf(value);
        const back = decodeOpening(encodeOpening(opening));
        expect(commitmentTo(back)).toEqual(commitmentTo(opening));
        expect(isCommitment(commitmentTo(opening))).toBe(true);
      }),
    );
  });

  it('fits no other value, and no other salt', () => {
    assert(
      property(json, json, (value, other) => {
        const opening = openingOf(value);
        expect(commitmentTo(openingOf(value))).not.toEqual(commitmentTo(opening));
        pre(JSON.stringify(value) !== JSON.stringify(other) && !Object.is(value, other));
        pre(!encodeOpening({ ...opening, value: other }).equals(encodeOpening(opening)));
        expect(commitmentTo({ ...opening, value: other })).not.toEqual(commitmentTo(opening));
      }),
    );
  });

  it('is told from anything else that a payload may hold', () => {
    const { commitment } = commitmentTo(openingOf('ann@example.com'));
    for (const other of [
      null,
      commitment,
      [],
      { commitment: 1 },
      { commitment: 'short' },
      { commitment, more: 1 },
    ])
      expect(isCommitment(other)).toBe(false);
  });

  it('takes a salt of 32 bytes only', () => {
    expect(() => commitmentTo({ salt: Buffer.alloc(16), value: 1 })).toThrow('32 bytes');
  });
});
