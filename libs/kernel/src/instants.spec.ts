import { instantSchema } from './instants';

describe('An instant', () => {
  it.each([
    '2026-11-20T10:00:00Z',
    '2026-11-20T10:00:00.123456Z',
    '2026-11-20T10:00:00.5+01:00',
    '1970-01-01T00:00:00Z',
  ])('is %s', (text) => {
    expect(instantSchema.parse(text)).toBe(text);
  });

  it.each([
    '',
    '2026-11-20',
    '2026-11-20T10:00:00',
    '2026-02-30T10:00:00Z',
    '1969-12-31T23:59:59Z',
    '2200-01-01T00:00:00Z',
    'now',
    '1763632800',
  ])('is not %j', (text) => expect(instantSchema.safeParse(text).success).toBe(false));
});
