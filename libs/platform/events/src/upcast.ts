import { latestVersionOf, upcastPayload } from '@holdfast/tenancy';
import type { RecordedEvent } from './recorded-event';

/** An event whose version is newer than what this process knows of its type: its writer was of a later release. */
export class EventTooNew extends Error {
  override readonly name = 'EventTooNew';

  constructor({ type, schemaVersion }: RecordedEvent, known: number) {
    super(`${type} has version ${schemaVersion}; this release knows it up to version ${known}`);
  }
}

/**
 * The event as handlers of consumer groups get it: with its payload in the latest version that the code knows, whichever
 * it was recorded in. The one place where versions are brought up to date.
 *
 * One that is of the latest version is returned as it is, at the cost of one look into a map. One of a type that the code
 * does not know is as well: groups that take all events pass on or count them, and no other asks for it. Throws
 * EventTooNew for a newer version than the code knows, which a handler could only misread: whoever delivers treats it as
 * a failure of that event, and it waits for a process of the later release.
 */
export function upcast(event: RecordedEvent): RecordedEvent {
  const latest = latestVersionOf(event.type);
  if (latest === undefined || event.schemaVersion === latest) return event;
  if (event.schemaVersion > latest) throw new EventTooNew(event, latest);
  const payload = upcastPayload(event.type, event.schemaVersion, event.data);
  return { ...event, schemaVersion: latest, data: payload };
}
