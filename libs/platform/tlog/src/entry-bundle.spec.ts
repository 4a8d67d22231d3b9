import * as fc from 'fast-check';
import { refused } from '../test/refused';
import { decodeEntryBundle, encodeEntryBundle } from './entry-bundle';

describe('A bundle of entries', () => {
  test('has each entry behind its length', () =>
    expect(
      encodeEntryBundle([Buffer.from('one'), Buffer.alloc(0), Buffer.alloc(258, 7)]).toString('hex'),
    ).toBe(`00036f6e6500000102${'07'.repeat(258)}`));

  test('is read back', () =>
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 256 }),
        (entries) => {
          const decoded = decodeEntryBundle(encodeEntryBundle(entries), entries.length);
          expect(decoded.map((entry) => entry.toString('hex'))).toEqual(
            entries.map((entry) => Buffer.from(entry).toString('hex')),
          );
        },
      ),
    ));

  test('is refused when it is cut anywhere, or longer than it says', () => {
    const whole = encodeEntryBundle([Buffer.from('one'), Buffer.from('two')]);
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeEntryBundle(whole.subarray(0, length), 2)).toThrow(refused('malformed_tile'));
    }
    expect(() => decodeEntryBundle(Buffer.concat([whole, Buffer.of(0)]), 2)).toThrow(
      refused('malformed_tile'),
    );
    expect(() => decodeEntryBundle(Buffer.concat([whole, whole]), 2)).toThrow(refused('malformed_tile'));
    expect(() => decodeEntryBundle(Buffer.alloc(2 * 257), 257)).toThrow(refused('malformed_tile'));
  });

  test('holds 256 entries of 65,535 bytes, and no more', () => {
    const largest = Array.from({ length: 256 }, () => Buffer.alloc(65_535, 1));
    const decoded = decodeEntryBundle(encodeEntryBundle(largest), 256);
    expect(Buffer.concat(decoded).equals(Buffer.concat(largest))).toBe(true);
    expect(() => encodeEntryBundle([...largest, Buffer.alloc(0)])).toThrow(refused('too_large'));
    expect(() => encodeEntryBundle([Buffer.alloc(65_536)])).toThrow(refused('too_large'));
    expect(() => encodeEntryBundle([])).toThrow(refused('bad_argument'));
  });
});
