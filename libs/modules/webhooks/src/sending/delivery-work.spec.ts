import { stateAfter } from './delivery-work';
import { RETRY_DELAYS_MS } from './retry-schedule';

describe('A delivery after an attempt', () => {
  it('is over once it was taken', () => {
    expect(stateAfter(3, { outcome: 'delivered', retryAfterMs: undefined }, 0)).toEqual({
      step: 3,
      status: 'delivered',
    });
  });

  it('waits as long as the schedule says, and is given up after its last attempt', () => {
    const after = (step: number) => stateAfter(step, { outcome: 'timeout', retryAfterMs: undefined }, 0);
    for (const [index, delay] of RETRY_DELAYS_MS.entries())
      expect(after(index + 1)).toEqual({ step: index + 1, status: 'pending', waitSeconds: delay / 1_000 });
    expect(after(RETRY_DELAYS_MS.length + 1)).toEqual({ step: 10, status: 'failed' });
  });

  it('is given up at once where the receiver is gone', () => {
    expect(stateAfter(1, { outcome: 'gone', retryAfterMs: 1_000 }, 0)).toEqual({ step: 1, status: 'failed' });
  });

  it('waits for as long as the receiver has asked for', () => {
    expect(stateAfter(1, { outcome: 'status', retryAfterMs: 600_000 }, 0)).toMatchObject({
      waitSeconds: 600,
    });
  });
});
