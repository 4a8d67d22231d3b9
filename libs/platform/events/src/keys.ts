import { createHash } from 'node:crypto';
import type { ConsumerDeclaration } from './consumer';
import type { RecordedEvent } from './recorded-event';

const LENGTH_MAX = 200;

/**
 * The key of an event in a group: what stays in order, and what is parked. A declaration that throws for an event, or says
 * nothing, has it among the other events of its stream; a key that is too long for an index is its hash.
 */
export function keyOf({ key }: Pick<ConsumerDeclaration, 'key'>, event: RecordedEvent): string {
  if (key === 'tenant') return 'tenant';
  const stream = `${event.streamType}/${event.streamId}`;
  const text = key === 'stream' ? stream : (attempt(() => key(event)) ?? stream);
  return text.length <= LENGTH_MAX ? text : createHash('sha256').update(text).digest('hex');
}

function attempt(declared: () => string): string | undefined {
  try {
    return declared() || undefined;
  } catch {
    return undefined; // The consumer fails on the same event, and says why.
  }
}
