import { newId } from '@holdfast/kernel';
import type { z } from 'zod';
import type { EventType } from './event-types';

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
