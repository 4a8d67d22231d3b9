import type { EventType } from '@holdfast/tenancy';
import { z } from 'zod';
import { jsonSchemaOf } from './event-schema';

/** One version of an event type on the wire. */
export const eventVersionView = z.object({
  schemaVersion: z
    .int()
    .meta({ description: 'The `schemaversion` of events that have this payload.', examples: [1] }),
  schema: z.record(z.string(), z.unknown()).meta({
    description:
      'JSON Schema (2020-12) of `data`. Ignore properties that it does not name: they may come to be.',
  }),
  example: z.record(z.string(), z.unknown()).meta({
    description: 'A payload of this version.',
    examples: [{ plan: 'enterprise' }],
  }),
});

/** An event type on the wire. */
export const eventTypeView = z.object({
  type: z.string().meta({
    description: 'The name under which its events come.',
    examples: ['tenants.tenant.plan_changed'],
  }),
  streamType: z.string().meta({
    description: 'The kind of aggregate whose streams hold them.',
    examples: ['tenants.tenant'],
  }),
  description: z.string().meta({ examples: ['The operator has put the tenant on another plan.'] }),
  versions: z.array(eventVersionView).meta({
    description: 'Every version ever published, the first first. Events are announced in the last one.',
  }),
});

/** An event type on the wire. */
export type EventTypeView = z.output<typeof eventTypeView>;

const shown = new WeakMap<EventType, EventTypeView>();

/** Shows a type; what is declared does not change, so each is made once. */
export function showEventType(eventType: EventType): EventTypeView {
  const known = shown.get(eventType);
  if (known) return known;
  const { type, streamType, description, versions } = eventType;
  const view: EventTypeView = {
    type,
    streamType,
    description,
    versions: versions.map(({ version, schema, example }) => ({
      schemaVersion: version,
      schema: { ...jsonSchemaOf(schema) },
      example: example as Record<string, unknown>,
    })),
  };
  shown.set(eventType, view);
  return view;
}
