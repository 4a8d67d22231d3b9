import { PLAN_NAMES, planOf, PLANS } from './plans';

describe('Plans', () => {
  it.each(PLAN_NAMES)('%s lets a tenant work: its burst is at least its rate', (name) => {
    const { quotas } = PLANS[name];
    expect(quotas.requestsBurst).toBeGreaterThanOrEqual(quotas.requestsPerSecond);
    expect(quotas.concurrentRequests).toBeGreaterThan(0);
    expect(quotas.eventsBurst).toBeGreaterThanOrEqual(quotas.eventsPerSecond);
  });

  it('takes a name that a newer process has put into a grant for the standard plan', () => {
    expect(planOf('from-next-year')).toBe(PLANS.standard);
  });
});
