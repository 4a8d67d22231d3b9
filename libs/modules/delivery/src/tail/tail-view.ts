import { z } from 'zod';

/** An event as the tail sends it: a CloudEvent, as `cloudEventOf` makes it, in the version in which it was recorded. */
export const tailEventView = z.object({
  specversion: z.literal('1.0'),
  id: z
    .guid()
    .meta({ description: 'Of the event; deduplicate by it where you read from more than one place.' }),
  source: z.string().meta({ description: 'The tenant: /tenants/<id>.' }),
  type: z.string().meta({ description: '`GET /v1/events/types` says which there are.' }),
  subject: z.string().meta({ description: 'The stream, <type>/<id>: what the event is about.' }),
  time: z.string().meta({ description: 'RFC 3339, UTC, to the microsecond.' }),
  datacontenttype: z.literal('application/json'),
  tenantid: z.guid(),
  streamversion: z.string().meta({ description: 'Contiguous within the stream, from 1.' }),
  schemaversion: z.int().meta({ description: 'Of `data`.' }),
  actor: z.string(),
  act: z.string().optional().meta({ description: 'The operator who acted for the actor.' }),
  correlationid: z.string(),
  causationid: z.string().optional(),
  traceparent: z.string().optional(),
  data: z.record(z.string(), z.unknown()),
});

/** An event of the subscription with the cursor behind it, or a cursor alone. */
export const tailMessageView = z.object({
  cursor: z.string().meta({ description: 'Where to go on, as `after`: in this process or in any other.' }),
  event: tailEventView
    .nullable()
    .meta({ description: 'Null at the beginning, and every 15 seconds in which nothing comes.' }),
});
