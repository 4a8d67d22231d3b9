import { gzipSync } from 'node:zlib';
import { Random } from '@holdfast/testing';
import { BODY_BYTES_MAX, checkEvent, DEPTH_MAX, EVENT_BYTES_MAX, instantOf, readBody } from './body';
import { EventRefused, RequestRefused } from './reading';

const read = (text: string): unknown => readBody(Buffer.from(text)).value;
const nested = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

function refusalOf(bytes: Buffer): string {
  try {
    readBody(bytes);
    return 'taken';
  } catch (err) {
    if (err instanceof RequestRefused) return `${err.status} ${err.code}`;
    throw err;
  }
}

describe('A body', () => {
  test('is read as what it begins with', () => {
    expect(readBody(gzipSync('{"a":1}')).value).toEqual({ a: 1 });
    expect(read('{"a":1}')).toEqual({ a: 1 });
    expect(read('\uFEFF{"a":1}')).toEqual({ a: 1 });
    const base64 = Buffer.from('{"a":"é??>~"}').toString('base64');
    expect(base64).toMatch(/[+/]/);
    for (const form of [encodeURIComponent(base64), base64, encodeURIComponent('{"a":"é??>~"}')])
      expect(read(`data=${form}&ip=1`)).toEqual({ a: 'é??>~' });
    expect(readBody(gzipSync(`data=${base64}`)).value).toEqual({ a: 'é??>~' });
  });

  test.each([
    ['nothing', Buffer.of(), '400 ingest.not_json'],
    ['half of JSON', Buffer.from('{"a":'), '400 ingest.not_json'],
    ['a NUL as it is', Buffer.from('{"a":"\0"}'), '400 ingest.not_json'],
    ['Latin-1', Buffer.from('{"a":"é"}', 'latin1'), '400 ingest.not_utf8'],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le'), '400 ingest.not_json'],
    ['half of gzip', gzipSync('{"a":1}').subarray(0, 15), '400 ingest.not_gzip'],
    ['a form without data', Buffer.from('data=&ip=1'), '400 ingest.not_json'],
    ['a form of a form', Buffer.from(`data=${btoa('data=e30')}`), '400 ingest.not_json'],
    ['a form of gzip', Buffer.from(`data=${gzipSync('{}').toString('base64')}`), '400 ingest.not_utf8'],
    ['a form over the limit', Buffer.from(`data=${'A'.repeat(BODY_BYTES_MAX * 2)}`), '413 ingest.too_large'],
    ['a gzip bomb', gzipSync(Buffer.alloc(200 * BODY_BYTES_MAX, 0x20)), '413 ingest.too_large'],
    ['a body over the limit', Buffer.alloc(BODY_BYTES_MAX + 1, 0x20), '413 ingest.too_large'],
    ['unclosed lists, 10^5 deep', Buffer.from('['.repeat(100_000)), '400 ingest.not_json'],
    [
      'a lone surrogate at 10^5 levels',
      Buffer.from(`${'['.repeat(100_000)}"\\ud800"${']'.repeat(100_000)}`),
      '400 ingest.too_deep',
    ],
  ])('of %s is refused', (_, bytes, refusal) => {
    expect(refusalOf(bytes)).toBe(refusal);
  });

  test('has neither NUL nor halves of surrogate pairs, in names and values', () => {
    const value = read('{"a\\u0000":"x\\ud800y","b":["\\uDC00",{"\\ud83d":"\\ud83d\\ude00"}]}');
    expect(value).toEqual({ 'a\uFFFD': 'x\uFFFDy', b: ['\uFFFD', { '\uFFFD': '😀' }] });
  });

  test('cannot set a prototype', () => {
    const value = read('{"__proto__":{"admin":true},"b":"\\u0000"}') as { admin?: boolean };
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(value.admin).toBeUndefined();
    expect(JSON.stringify(value)).toBe('{"__proto__":{"admin":true},"b":"\uFFFD"}');
  });

  test('has the last of several members of one name', () => {
    expect(read('{"a":1,"a":2}')).toEqual({ a: 2 });
  });
});

describe('An event', () => {
  const check = (event: unknown, isSmall = true): string => {
    try {
      checkEvent(event, isSmall);
      return 'taken';
    } catch (err) {
      if (err instanceof EventRefused) return err.reason;
      throw err;
    }
  };

  test('is as deep as it may be, and no deeper', () => {
    expect(check(read(nested(DEPTH_MAX)))).toBe('taken');
    expect(check(read(nested(DEPTH_MAX + 1)))).toBe('invalid');
    expect(check(read(nested(80_000)))).toBe('invalid');
  });

  test('is as large as it may be, and no larger', () => {
    const ofBytes = (bytes: number): object => ({ a: 'é'.repeat((bytes - '{"a":""}'.length) / 2) });
    expect(check(ofBytes(EVENT_BYTES_MAX), false)).toBe('taken');
    expect(check(ofBytes(EVENT_BYTES_MAX + 2), false)).toBe('oversized');
  });
});

describe('An instant', () => {
  const seed = Date.now() % 1_000_000_007;
  const random = new Random(seed);

  test('is what Date.parse reads, whichever was read before', () => {
    const minutes = [
      '2026-11-27T23:59:',
      '2024-02-29T00:00:',
      '2026-02-30T12:00:',
      '2026-11-27 (08:30:',
      '+002026-11-27T1:',
    ];
    const ends = ['00.000Z', '59.999Z', '60.000Z', '5x.123Z', '12.34.Z', '12,345Z', '12.345z', '1.2345Z'];
    for (let n = 0; n < 2_000; n += 1) {
      const text = `${random.pick(minutes)}${random.pick(ends)}`;
      const ms = Date.parse(text);
      expect({ seed, text, ms: instantIn(text) }).toEqual({
        seed,
        text,
        ms: Number.isNaN(ms) ? 'refused' : ms,
      });
    }
  });

  function instantIn(text: string): number | string {
    try {
      return instantOf(text, 'timestamp');
    } catch (err) {
      if (err instanceof EventRefused) return 'refused';
      throw err;
    }
  }
});
