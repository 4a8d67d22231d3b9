import { z } from 'zod';

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

const supportAccessAllowed = z.boolean().meta({
  description: 'Whether the operator may act for the tenant, for a stated reason and a short time.',
});
const apiKeyLifetimeDaysMax = z.int().min(1).max(3_650).nullable().meta({
  description: 'Every API key made from here on ends within so many days; null: keys need not end.',
});
const memberActivityRecorded = z.boolean().meta({
  description:
    'Whether telemetry gets an event for each request of a member: who, which route or field, status and duration. Followed within 5 s; what was recorded stays for as long as the plan keeps events.',
});
const timeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, 'A time zone is a name of the IANA database, such as Europe/Berlin.')
  .meta({ description: 'In which days and times are shown. Nothing is reckoned by it.', examples: ['UTC'] });

/** What a tenant decides for itself, with what holds until it has decided. */
export const tenantSettings = z.object({
  supportAccessAllowed: supportAccessAllowed.default(true),
  apiKeyLifetimeDaysMax: apiKeyLifetimeDaysMax.default(null),
  memberActivityRecorded: memberActivityRecorded.default(true),
  timeZone: timeZone.default('UTC'),
});

/** A change of some settings; what is left out stays. */
export const tenantSettingsChange = z.strictObject({
  supportAccessAllowed: supportAccessAllowed.optional(),
  apiKeyLifetimeDaysMax: apiKeyLifetimeDaysMax.optional(),
  memberActivityRecorded: memberActivityRecorded.optional(),
  timeZone: timeZone.optional(),
});

/** What a tenant decides for itself. Every setting is one that something enforces or shows. */
export type TenantSettings = z.output<typeof tenantSettings>;
