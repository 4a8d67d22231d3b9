import { type Caller, type CommittedEvent, newId } from '@holdfast/kernel';
import type { PersonalValue } from '@holdfast/vault';
import type { z } from 'zod';
import type { EventType } from './event-types';
import { payloadDigest } from './logged-event';
import { committed } from './personal';

/** An event on its way into the log. */
export interface Announcement {
  readonly id: string;
  readonly type: string;
  readonly schemaVersion: number;
  readonly streamType: string;
  readonly streamId: string;
  readonly streamVersion: bigint;
  readonly payload: string;
  /** Whose it is, and of which request, where that is not the transaction's own caller: under a grant for the same tenant. */
  readonly origin?: Caller;
  /** What the payload has commitments to; absent: nothing. */
  readonly personal?: readonly PersonalValue[];
}

/**
 * Makes the event of `type` that takes its stream to `streamVersion` (1 for the first). The payload is checked; what of it names
 * a person is left aside for the vault, with a commitment in its place.
 */
export function announcement<S extends z.ZodType>(
  { type, schemaVersion, streamType, schema, personal }: EventType<S>,
  stream: { readonly id: string; readonly version: bigint },
  payload: z.input<S>,
): Announcement {
  const id = newId();
  const { stored, values } = committed(personal, { id, streamId: stream.id }, payload);
  // Encoded by the schema, so that what a consumer parses is what was announced.
  const encoded = JSON.stringify(schema.parse(stored));
  return {
    id,
    type,
    schemaVersion,
    streamType,
    streamId: stream.id,
    streamVersion: stream.version,
    payload: encoded,
    personal: values,
  };
}

/** The announcement as its receipt names it. */
export function committedEventOf({ payload, streamVersion, ...event }: Announcement): CommittedEvent {
  const { id, type, streamType, streamId } = event;
  const stream = { type: streamType, id: streamId, version: String(streamVersion) };
  return { id, type, stream, dataSha256: payloadDigest(payload) };
}
