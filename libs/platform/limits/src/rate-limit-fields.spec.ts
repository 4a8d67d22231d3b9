import { rateLimitFields } from './rate-limit-fields';

const tenant = { limit: 'tenant', shape: { size: 100, perSecond: 50 } } as const;
const credential = { limit: 'credential', shape: { size: 80, perSecond: 30 } } as const;

describe('The RateLimit fields', () => {
  it('are lists of strings with integer parameters', () => {
    const fields = rateLimitFields([
      { ...tenant, admitted: true, remaining: 99, waitMs: 20 },
      { ...credential, admitted: false, remaining: 0, waitMs: 2_001 },
    ]);
    expect(fields).toEqual({
      'ratelimit-policy': '"tenant";q=100;w=2, "credential";q=80;w=3',
      ratelimit: '"tenant";r=99;t=1, "credential";r=0;t=3',
    });
  });
});
