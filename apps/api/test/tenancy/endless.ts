import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

type Answer = Awaited<ReturnType<NestFastifyApplication['inject']>>;

/** Enough to see whose events they are. */
const EVENTS_MAX = 50;
/** What is there comes at once; what comes later is nobody's yet. */
const QUIET_MS = 150;

/**
 * Reads an answer that was asked for as a stream: one that ends, whole; server-sent events until nothing more comes, in
 * the form of a page: the events, and the last id as its `nextCursor`. Then goes away, as a client does.
 */
export async function readEndless(
  answer: Answer,
): Promise<{ readonly text: string; readonly body: unknown }> {
  const stream = answer.stream();
  let text = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => (text += chunk));
  if (!String(answer.headers['content-type']).startsWith('text/event-stream')) {
    await once(stream, 'end');
    return { text, body: JSON.parse(text) as unknown };
  }
  for (let length = -1; length < text.length && eventsIn(text).length < EVENTS_MAX; await sleep(QUIET_MS))
    length = text.length;
  stream.destroy();
  const data = eventsIn(text).slice(0, EVENTS_MAX);
  const ids = [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id);
  const body = { data, nextCursor: ids[data.length] ?? ids.at(-1) ?? null };
  return { text: JSON.stringify(body), body };
}

/** With what their filters take, under the filters' names. */
function eventsIn(text: string): object[] {
  return [...text.matchAll(/^data: (.*)\n\n/gm)].map(([, data = '']) => {
    const event = JSON.parse(data) as { readonly type: string; readonly subject?: string };
    return { ...event, types: event.type, stream: event.subject };
  });
}
