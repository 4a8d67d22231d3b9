import { RETRY_AFTER_MAX_MS, RETRY_DELAYS_MS, retryDelayMs } from './retry-schedule';

const HOUR_MS = 3_600_000;

describe('The retry schedule', () => {
  it('is the one that Standard Webhooks publishes', () => {
    const hours = RETRY_DELAYS_MS.map((delay) => delay / HOUR_MS);
    expect(hours).toEqual([5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24]);
  });

  it('ends after ten attempts', () => {
    expect(retryDelayMs(9, 0)).toBe(24 * HOUR_MS);
    expect(retryDelayMs(10, 0)).toBeUndefined();
  });

  it('is met at the earliest, and a fifth later at the latest', () => {
    for (const [index, delay] of RETRY_DELAYS_MS.entries()) {
      expect(retryDelayMs(index + 1, 0)).toBe(delay);
      expect(retryDelayMs(index + 1, 1)).toBe(delay * 1.2);
    }
  });

  it('waits for as long as the receiver asks, at most a day, and no shorter', () => {
    expect(retryDelayMs(1, 0, HOUR_MS)).toBe(HOUR_MS);
    expect(retryDelayMs(1, 0, 1_000)).toBe(5_000);
    expect(retryDelayMs(1, 0, 365 * 24 * HOUR_MS)).toBe(RETRY_AFTER_MAX_MS);
    expect(retryDelayMs(10, 0, HOUR_MS)).toBeUndefined();
  });
});
