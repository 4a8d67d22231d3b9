import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

export const subjectErasureRequested = eventType('audit.subject.erasure_requested', {
  version: 1,
  description:
    'Somebody ordered that what is held of a person goes: rows of modules are erased with this event, copies and the vault after it.',
  schema: z.object({
    relatedIds: z
      .array(z.string())
      .meta({ description: 'Other ids of the same person: of invitations, say.' }),
  }),
  example: { relatedIds: ['019a0000-0000-7000-8000-000000000002'] },
});

export const subjectErased = eventType('audit.subject.erased', {
  version: 1,
  description:
    'What events said of a person is gone, and so is the key that it was under: commitments to it open to nothing from here on.',
  schema: z.object({ count: z.int().meta({ description: 'How many values of events that were.' }) }),
  example: { count: 3 },
});
