import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

/** Announced in the tenant whose events a consumer group is to have once more. */
export const consumerReplayed = eventType('delivery.consumer.replayed', {
  version: 1,
  description:
    'The operator has taken a consumer group back in this tenant: it is given what came after the tick again.',
  schema: z.object({ group: z.string(), tick: z.string() }),
  example: { group: 'usage', tick: '0' },
});

/** Announced in the tenant whose key a consumer group had quarantined. */
export const parkedKeyReleased = eventType('delivery.parked_key.released', {
  version: 1,
  description:
    'The operator has released what a consumer group could not deliver, or has dropped the event that failed. ' +
    'Why is free text and stays with the key.',
  schema: z.object({ group: z.string(), key: z.string(), skippedEventId: z.string().nullable() }),
  example: {
    group: 'usage',
    key: 'ledger.account/019a0000-0000-7000-8000-000000000001',
    skippedEventId: null,
  },
});
