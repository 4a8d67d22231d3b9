import type { TrackedEvent } from '../tracked-event';
import { type Body, checkEvent, type JsonObject, sampleOf } from './body';
import { EventRefused, type Reading } from './reading';

/** Reads each event by itself: one that is refused does not keep out the others. */
export function readEvents(
  body: Body,
  events: readonly unknown[],
  read: (event: JsonObject) => TrackedEvent,
): Reading {
  const reading: Reading = { events: [], rejects: [] };
  for (const event of events) {
    try {
      checkEvent(event, body.isSmall);
      reading.events.push(read(event));
    } catch (err) {
      if (!(err instanceof EventRefused)) throw err;
      reading.rejects.push({ reason: err.reason, message: err.message, sample: sampleOf(event) });
    }
  }
  return reading;
}
