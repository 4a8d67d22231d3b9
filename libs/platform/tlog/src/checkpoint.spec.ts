import * as fc from 'fast-check';
import { refused } from '../test/refused';
import { formatCheckpoint, parseCheckpoint } from './checkpoint';
import { leafHash } from './hashing';

const root = 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=';

describe('A checkpoint', () => {
  test('is as the specification has it', () => {
    const text = `example.com/behind-the-sofa\n20852163\n${root}\n`;
    const checkpoint = parseCheckpoint(text);
    expect(checkpoint).toEqual({
      origin: 'example.com/behind-the-sofa',
      size: 20_852_163n,
      root: Buffer.from(root, 'base64'),
      extensions: [],
    });
    expect(formatCheckpoint(checkpoint)).toBe(text);
  });

  test('is read back, whatever it says', () => {
    const line = fc.string({ minLength: 1, unit: 'grapheme' }).filter((each) => !/\p{Cc}/u.test(each));
    const size = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(line, size, fc.array(line), (origin, leaves, extensions) => {
        const fields = { origin, size: leaves, root: leafHash(origin), extensions };
        expect(parseCheckpoint(formatCheckpoint(fields))).toEqual(fields);
      }),
    );
  });

  test.each([
    ['nothing', ''],
    ['two lines', 'origin\n1\n'],
    ['no newline at the end', `origin\n1\n${root}`],
    ['no origin', `\n1\n${root}\n`],
    ['no size', `origin\n\n${root}\n`],
    ['a leading zero', `origin\n01\n${root}\n`],
    ['a sign', `origin\n+1\n${root}\n`],
    ['a negative size', `origin\n-1\n${root}\n`],
    ['a fraction', `origin\n1.5\n${root}\n`],
    ['a size beyond 64 bits', `origin\n18446744073709551616\n${root}\n`],
    ['a space behind the size', `origin\n1 \n${root}\n`],
    ['a short root', 'origin\n1\nAAAA\n'],
    ['a root without its end', `origin\n1\n${root.replace('=', '')}\n`],
    ['a root with bits to spare', `origin\n1\n${root.replace('I=', 'J=')}\n`],
    ['an empty extension', `origin\n1\n${root}\n\n`],
    ['an empty extension before another', `origin\n1\n${root}\n\nmore\n`],
    ['a carriage return', `origin\r\n1\n${root}\n`],
  ])('is malformed with %s', (_, text) =>
    expect(() => parseCheckpoint(text)).toThrow(refused('malformed_checkpoint')),
  );

  test('is not written in a way that could not be read', () => {
    const fields = { origin: 'origin', size: 1, root: leafHash('') };
    expect(() => formatCheckpoint({ ...fields, origin: '' })).toThrow(refused('bad_argument'));
    expect(() => formatCheckpoint({ ...fields, origin: 'a\nb' })).toThrow(refused('bad_argument'));
    expect(() => formatCheckpoint({ ...fields, extensions: [''] })).toThrow(refused('bad_argument'));
    expect(() => formatCheckpoint({ ...fields, size: -1 })).toThrow(refused('bad_argument'));
    expect(() => formatCheckpoint({ ...fields, size: 1.5 })).toThrow(refused('bad_argument'));
    expect(() => formatCheckpoint({ ...fields, size: 2n ** 64n })).toThrow(refused('bad_argument'));
    expect(() => formatCheckpoint({ ...fields, origin: 'a\tb' })).toThrow(refused('malformed_checkpoint'));
    expect(() => formatCheckpoint({ ...fields, root: Buffer.alloc(31) })).toThrow(
      refused('malformed_checkpoint'),
    );
  });
});
