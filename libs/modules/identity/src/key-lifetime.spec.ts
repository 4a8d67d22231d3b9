import { refuseLongLife } from './key-lifetime';

const NOW = '2026-11-20T10:00:00Z';
const refusal = (expiresAt: string | null, daysMax: number | null): string | undefined => {
  try {
    refuseLongLife(expiresAt, daysMax, Date.parse(NOW));
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('The life of a key', () => {
  it.each([
    [null, null],
    ['2099-01-01T00:00:00Z', null],
    ['2026-11-27T10:00:00Z', 7],
  ])('may end at %p where the most is %p days', (expiresAt, daysMax) => {
    expect(refusal(expiresAt, daysMax)).toBeUndefined();
  });

  it.each([
    [null, 7],
    ['2026-11-27T10:00:00.001Z', 7],
  ])('may not end at %p where the most is %p days', (expiresAt, daysMax) => {
    expect(refusal(expiresAt, daysMax)).toBe('identity.key_lifetime_too_long');
  });
});
