import { FollowEvents, tailInput } from '@holdfast/delivery';
import { cloudEventOf, type RecordedEvent } from '@holdfast/events';
import { encodeJson } from '@holdfast/kernel';
import { parseInput } from './input';
import { asOperator } from './operator';

interface TailAsked {
  readonly json?: boolean;
  readonly from?: string;
  readonly after?: string;
  readonly types?: string;
  readonly stream?: string;
}

/** Prints a tenant's events as they come, one a line, until it is interrupted; then the cursor behind the last. */
export async function tailEvents(tenant: string, { json, types, ...asked }: TailAsked): Promise<void> {
  const input = parseInput(tailInput, { ...asked, types: types?.split(',') });
  let cursor: string | undefined;
  await asOperator(async ({ queries, directory, callerFor }) => {
    const { id } = await directory.get(tenant);
    const events = await queries.execute(new FollowEvents(await callerFor(id), input, () => callerFor(id)));
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => events.end());
    // A pipe that was closed (`| head`) is the end of it as well.
    process.stdout.once('error', () => events.end());
    for await (const item of events.items()) {
      cursor = item.cursor;
      if (item.event)
        process.stdout.write(`${json ? encodeJson(cloudEventOf(item.event)) : lineOf(item.event)}\n`);
    }
    if (events.failure) throw events.failure;
  });
  if (cursor !== undefined) process.stderr.write(`\nGo on with --after ${cursor}\n`);
}

function lineOf({ occurredAt, type, streamType, streamId, actor, data }: RecordedEvent): string {
  return `${occurredAt}  ${type}  ${streamType}/${streamId}  ${actor}  ${encodeJson(data)}`;
}
