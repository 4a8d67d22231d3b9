import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

export const legalHoldPlaced = eventType('audit.legal_hold.placed', {
  version: 1,
  description: 'A person, or with a null subject the whole tenant, may not be erased. Why stands in the row.',
  schema: z.object({ subjectId: z.string().nullable() }),
  example: { subjectId: '019a0000-0000-7000-8000-000000000001' },
});

export const legalHoldLifted = eventType('audit.legal_hold.lifted', {
  version: 1,
  description: 'A legal hold no longer stands in the way of anything.',
  schema: z.object({}),
  example: {},
});
