import { eventType } from '@holdfast/tenancy';
import { z } from 'zod';

const tally = {
  count: z.int().min(1).meta({ description: 'How often, where several are told together.' }),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
};

/** A command or query that its caller was refused. On a stream of its own, by the actor who was refused. */
export const requestRefused = eventType('audit.request.refused', {
  version: 1,
  description:
    'A command, or a query for which the actor had no permission, was refused with the code. Repetitions are told together.',
  schema: z.object({
    message: z.string().meta({ description: 'The command or query.' }),
    code: z.string(),
    kind: z.string().meta({ description: 'The sort of refusal, such as forbidden or conflict.' }),
    ...tally,
  }),
  example: {
    message: 'OpenAccount',
    code: 'auth.forbidden',
    kind: 'forbidden',
    count: 1,
    from: '2026-11-26T12:00:00.000Z',
    to: '2026-11-26T12:00:00.000Z',
  },
});

/** Somebody looked at the trail. On a stream of its own, by the actor who looked. */
export const trailRead = eventType('audit.trail.read', {
  version: 1,
  description:
    'The actor read the audit trail, or the sealed log. What follows within half a minute is told together.',
  schema: z.object({
    what: z.string().meta({ description: 'The kind of reading, such as events, history or feed.' }),
    by: z
      .array(z.string())
      .meta({ description: 'The filters that were used: their names, never their values.' }),
    of: z
      .array(z.string())
      .meta({ description: 'What was looked at: ids and names of streams, at most 20.' }),
    ...tally,
  }),
  example: {
    what: 'history',
    by: [],
    of: ['ledger.account/019a0000-0000-7000-8000-000000000003'],
    count: 1,
    from: '2026-11-26T12:00:00.000Z',
    to: '2026-11-26T12:00:00.000Z',
  },
});
