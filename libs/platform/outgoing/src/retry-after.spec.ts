import { retryAfterMs } from './retry-after';

describe('Retry-After', () => {
  it('reads seconds and dates', () => {
    const now = Date.parse('2026-11-26T12:00:00Z');
    expect(retryAfterMs('120', now)).toBe(120_000);
    expect(retryAfterMs('Thu, 26 Nov 2026 12:01:00 GMT', now)).toBe(60_000);
    expect(retryAfterMs('Thu, 26 Nov 2026 11:00:00 GMT', now)).toBe(0);
    for (const header of [undefined, '', 'soon', '-1', '1e9'])
      expect(retryAfterMs(header, now)).toBeUndefined();
  });
});
