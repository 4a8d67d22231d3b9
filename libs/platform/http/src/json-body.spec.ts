import { MalformedBody, parseStrictJson } from './json-body';

const parse = (text: string): unknown => parseStrictJson(Buffer.from(text));

describe('strict JSON', () => {
  it('reads what is well formed', () => {
    expect(parse('{"a":["x\\"}{",1,null,{"b":"é"}]}')).toEqual({ a: ['x"}{', 1, null, { b: 'é' }] });
    expect(parse('[{"a":1},{"a":2}]')).toEqual([{ a: 1 }, { a: 2 }]);
    expect(parse('{"a":{"a":"a"},"b":-9007199254740991,"c":1.5e3}')).toEqual({
      a: { a: 'a' },
      b: -9007199254740991,
      c: 1500,
    });
    expect(parse('')).toBeUndefined();
  });

  it.each([
    ['cut short', '{"a":'],
    ['with a comma too many', '[1,]'],
    ['not JSON', 'hello'],
    ['with a NUL character', '{"a":"\\u0000"}'],
    ['with half a character', '{"a":"\\ud800"}'],
    ['with __proto__', '{"__proto__":{"admin":true}}'],
    ['with __proto__ further down', '[{"a":{"__proto__":1}}]'],
    ['with a key twice', '{"a":"1","b":[{"c":1}],"a":"500"}'],
    ['with a key twice in two spellings', '{"a":1,"\\u0061":2}'],
    ['with an integer that JSON cannot carry', '{"a":12345678901234567890}'],
    ['with a number beyond all numbers', '[1e999]'],
    ['nested 33 deep', '['.repeat(33) + ']'.repeat(33)],
  ])('refuses a body %s', (_what, text) => {
    expect(() => parse(text)).toThrow(MalformedBody);
  });

  it.each([
    ['{"a":[1,{"b/c":["\\u0000"]}]}', '/a/1/b~1c/0'],
    ['{"":{"~":12345678901234567890}}', '//~0'],
    ['[[],[{"x":{"__proto__":{"y":1}}}]]', '/1/0/x/__proto__'],
    ['{"a":[{"b":1},{"c":1,"d":{},"c":2}]}', '/a/1/c'],
    ['{"a":[1,[2,3],{"b":1,"\\u0062":2}]}', '/a/2/b'],
    ['{"\\u0000":"\\ud800"}', '/\ufffd'],
    ['"\\ud800"', ''],
    ['{"a":', ''],
  ])('says where in %s', (text, pointer) => {
    let refusal: unknown;
    try {
      parse(text);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({ errors: [{ pointer, code: 'malformed' }] });
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseStrictJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow('The body is not UTF-8.');
  });

  it('refuses a hundred thousand brackets without walking them', () => {
    expect(() => parse('['.repeat(100_000))).toThrow('nested deeper than 32');
  });
});
