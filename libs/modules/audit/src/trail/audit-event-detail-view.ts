import { z } from 'zod';
import { differenceView } from '../history/difference-view';
import { auditEventView } from './audit-event-view';

/** Who an actor is. */
export const auditActorView = z.object({
  kind: z.string().meta({ description: '`member`, `api_key` or `system`.' }),
  id: z.string().meta({ description: 'Of a member or key its id, of the system the name of the part.' }),
});

/** From where the request came. */
export const auditOriginView = z.object({
  route: z.string(),
  status: z.int().meta({ description: 'How the request was answered.' }),
  answeredAt: z.string(),
  address: z
    .string()
    .nullable()
    .meta({ description: 'Null, as `userAgent`, for who does not hold `personal:read`.' }),
  userAgent: z.string().nullable(),
});

/** An event with what it made of its entity. */
export const auditEventDetailView = auditEventView.extend({
  description: z
    .string()
    .nullable()
    .meta({ description: 'What events of this type say; null for a type that is not known.' }),
  who: auditActorView,
  origins: z.array(auditOriginView).meta({
    description:
      'From where the request came, as noted beside the log and not sealed in it: a hint and no proof. Empty for what came over ' +
      'no network, and after 90 days; several where a client gave requests of the same minute one id.',
  }),
  before: z.record(z.string(), z.unknown()).nullable().meta({
    description: 'The entity before, folded from the events of its stream; null where there was none.',
  }),
  after: z.record(z.string(), z.unknown()).nullable().meta({ description: 'The entity behind the event.' }),
  changes: z.array(differenceView).nullable().meta({
    description:
      'The fields that differ. Null where the event changes no state, or its stream is too long to fold.',
  }),
});

/** An event with what it made of its entity. */
export type AuditEventDetailView = z.output<typeof auditEventDetailView>;
