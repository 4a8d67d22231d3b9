import { codeSchema, metadataSchema } from './ledger-values';

describe('Metadata', () => {
  it.each([
    [{}],
    [{ note: 'a', nested: { list: [1, null, 'ü😀'] } }],
    [{ path: 'C:\\u0000' }],
    [{ '\\ud800': 1 }],
  ])('takes %j', (metadata) => {
    expect(metadataSchema.safeParse(metadata).success).toBe(true);
  });

  it.each([
    ['NUL', { note: 'a\u0000' }],
    ['NUL in a key', { 'a\u0000': 1 }],
    ['half a character', { note: '\ud83d' }],
    ['NUL behind a backslash', { note: '\\\u0000' }],
    ['too much', { note: 'x'.repeat(4_090) }],
  ])('refuses %s', (_, metadata) => {
    expect(metadataSchema.safeParse(metadata).success).toBe(false);
  });
});

describe('Codes', () => {
  it.each(['cash', 'customer 7', 'käse/😀'])('may be %s', (code) => {
    expect(codeSchema.safeParse(code).success).toBe(true);
  });

  it.each(['', 'a\u0000', 'a\nb', '\ud83d', 'x'.repeat(201)])('may not be %j', (code) => {
    expect(codeSchema.safeParse(code).success).toBe(false);
  });
});
