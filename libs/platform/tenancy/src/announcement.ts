import { newId } from '@holdfast/kernel';
import { z } from 'zod';

/** A kind of event that a module announces: its wire name, the version of its payload, and the payload's schema. */
export interface EventType<S extends z.ZodType = z.ZodType> {
  readonly type: string;
  readonly schemaVersion: number;
  readonly streamType: string;
  readonly schema: S;
}

/** An event on its way into the log. */
export interface Announcement {
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly streamType: string;
  readonly streamId: string;
  readonly streamVersion: bigint;
  readonly payload: string;
}

const declared = new Set<string>();

/**
 * Declares an event type, once, in a module's `*.events.ts`. `type` is `<stream type>.<past tense>`, for example
 * `ledger.transfer.posted` on streams `ledger.transfer`. Payloads hold ids, never names or addresses, and no floats.
 */
export function eventType<S extends z.ZodType>(type: string, schemaVersion: number, schema: S): EventType<S> {
  if (declared.has(type)) throw new Error(`two event types are called ${type}`);
  const streamType = type.slice(0, type.lastIndexOf('.'));
  const declaration = { type, schemaVersion, streamType, schema };
  declared.add(type);
  return declaration;
}

/** Makes the event of `type` that takes its stream to `streamVersion` (1 for the first). The payload is checked. */
export function announcement<S extends z.ZodType>(
  { type, schemaVersion, streamType, schema }: EventType<S>,
  stream: { readonly id: string; readonly version: bigint },
  payload: z.input<S>,
): Announcement {
  // Encoded by the schema, so that what a consumer parses is what was announced.
  const encoded = JSON.stringify(schema.parse(payload));
  return {
    id: newId(),
    type,
    schemaVersion,
    streamType,
    streamId: stream.id,
    streamVersion: stream.version,
    payload: encoded,
  };
}
