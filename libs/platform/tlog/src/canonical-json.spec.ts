import * as fc from 'fast-check';
import { refused } from '../test/refused';
import { canonicalJson } from './canonical-json';

/** RFC 8785 appendix B: IEEE 754 doubles by their bits, and how they are written. */
const numbers: [string, string][] = [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['ffefffffffffffff', '-1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['c340000000000000', '-9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['44b52d02c7e14af7', '1.0000000000000001e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef4f', '999999999999999900000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555554', '333333333.33333325'],
  ['41b3de4355555555', '333333333.3333333'],
  ['41b3de4355555556', '333333333.3333334'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
];

describe('Canonical JSON', () => {
  test.each(numbers)('writes the double %s as %s', (bits, text) =>
    expect(canonicalJson(Buffer.from(bits, 'hex').readDoubleBE())).toBe(text),
  );

  test('is the example of RFC 8785 section 3.2', () => {
    const input = String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`;
    expect(canonicalJson(JSON.parse(input))).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  test('sorts names as RFC 8785 section 3.2.3 does, by UTF-16 code units', () => {
    const input = String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
      "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`;
    const sorted = JSON.parse(canonicalJson(JSON.parse(input))) as Record<string, string>;
    expect(Object.values(sorted)).toEqual([
      'One',
      'Carriage Return',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
  });

  test('sorts names that look like numbers as texts, and at every depth', () =>
    expect(canonicalJson({ 10: 1, 9: [{ b: 1, a: { d: 1, c: 1 } }], '': 1, __proto__: null, a: 2 })).toBe(
      '{"":1,"10":1,"9":[{"a":{"c":1,"d":1},"b":1}],"a":2}',
    ));

  test('escapes what JSON.stringify does and no more', () => {
    for (let unit = 0; unit <= 0xff_ff; unit++) {
      const text = String.fromCharCode(unit);
      if (text.isWellFormed()) expect(canonicalJson(text)).toBe(JSON.stringify(text));
    }
  });

  test('has the same value and no other text, in whatever order names came', () =>
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(reversed(value))).toBe(text);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
      { numRuns: 500 },
    ));

  test.each([
    ['undefined', undefined],
    ['undefined in an object', { a: undefined }],
    ['undefined in an array', [undefined]],
    // oxlint-disable-next-line no-sparse-arrays -- a hole is what is tried here
    ['a hole', [1, , 2]],
    ['a function', { a: () => 1 }],
    ['a symbol', Symbol('a')],
    ['a bigint', 1n],
    ['NaN', Number.NaN],
    ['Infinity', [Number.NEGATIVE_INFINITY]],
    ['half a surrogate pair', 'a\ud800'],
    ['half a surrogate pair in a name', { '\udc00': 1 }],
    ['a Date', new Date()],
    ['a Map', new Map()],
    ['a Buffer', Buffer.from('a')],
    ['an object of a class', new Event('a')],
    ['a Number object', [new Number(1)]],
  ])('has no text for %s', (_, value) =>
    expect(() => canonicalJson(value)).toThrow(refused('not_canonical')),
  );

  test('refuses what is nested more deeply than 200, and what holds itself', () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
    expect(canonicalJson(nested(200))).toHaveLength(401);
    expect(() => canonicalJson(nested(201))).toThrow(refused('too_large'));
    const self: Record<string, unknown> = {};
    self['self'] = self;
    expect(() => canonicalJson(self)).toThrow(refused('too_large'));
  });
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, each]) => [name, reversed(each)]),
  );
}
