import { MalformedBody, parseStrictJson } from './json-body';

const parse = (text: string): unknown => parseStrictJson(Buffer.from(text));

describe('strict JSON', () => {
  it('reads what is well formed', () => {
    expect(parse('{"a":["x\\"}{",1,null,{"b":"é"}]}')).toEqual({ a: ['x"}{', 1, null, { b: 'é' }] });
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
    ['nested 33 deep', '['.repeat(33) + ']'.repeat(33)],
  ])('refuses a body %s', (_what, text) => {
    expect(() => parse(text)).toThrow(MalformedBody);
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseStrictJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow('The body is not UTF-8.');
  });

  it('refuses a hundred thousand brackets without walking them', () => {
    expect(() => parse('['.repeat(100_000))).toThrow('nested deeper than 32');
  });
});
