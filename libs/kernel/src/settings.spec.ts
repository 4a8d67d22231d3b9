import { tenantSettings, tenantSettingsChange } from './settings';

describe('The settings of a tenant', () => {
  it('have a value before anybody has decided', () => {
    expect(tenantSettings.parse({})).toEqual({
      supportAccessAllowed: true,
      apiKeyLifetimeDaysMax: null,
      memberActivityRecorded: true,
      timeZone: 'UTC',
    });
  });

  it('keep what a change leaves out', () => {
    expect(tenantSettingsChange.parse({ timeZone: 'Europe/Berlin' })).toEqual({ timeZone: 'Europe/Berlin' });
  });

  it.each([
    { timeZone: 'Europe/Nowhere' },
    { timeZone: '' },
    { apiKeyLifetimeDaysMax: 0 },
    { apiKeyLifetimeDaysMax: 3_651 },
    { supportAccessAllowed: 'yes' },
    { colour: 'blue' },
  ])('refuse %j', (change) => {
    expect(tenantSettingsChange.safeParse(change).success).toBe(false);
  });
});
