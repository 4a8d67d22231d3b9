import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

import { GraphqlSocket, type Message } from '../graphql-socket';

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

interface Asked {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** As much of an answer without an end as was read. */
export interface ReadAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly body: unknown;
}

/** Subscribes, reads until nothing more comes, and answers in the form of a query for a list. */
export async function readSubscription(
  app: NestFastifyApplication,
  { url, headers, body }: Asked,
  credential: string | undefined,
): Promise<ReadAnswer> {
  const authorization = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  const socket = await GraphqlSocket.open(app, { ...authorization, ...headers }, url);
  await socket.init();
  socket.send({ type: 'subscribe', id: 'asked', payload: body });
  await socket.next(({ type }) => type !== 'connection_ack');
  const { messages } = socket;
  for (let count = 0; count < messages.length && messages.length < EVENTS_MAX; await sleep(QUIET_MS))
    count = messages.length;
  socket.close();
  await socket.closed;
  const told = toldIn(messages.slice(0, EVENTS_MAX));
  const text = JSON.stringify(told);
  // A socket has no status: this is the one that a request would get.
  return { status: text.includes('"auth.invalid_credential"') ? 401 : 200, headers: {}, text, body: told };
}

interface Told {
  readonly cursor: string;
  readonly event: { readonly type: string; readonly subject: string } | null;
}

function toldIn(messages: readonly Message[]): object {
  const refused = messages.find(({ type }) => type === 'error');
  if (refused) return { data: null, errors: refused.payload };
  const nexts = messages.filter(({ type }) => type === 'next').map(({ payload }) => payload as object);
  const told = nexts.flatMap((payload) => Object.values((payload as { data: Record<string, Told> }).data));
  const events = told.flatMap(({ event }) =>
    event ? { ...event, types: event.type, stream: event.subject } : [],
  );
  return { data: { events }, nextCursor: told.at(-1)?.cursor ?? null };
}

/** With what their filters take, under the filters' names. */
function eventsIn(text: string): object[] {
  return [...text.matchAll(/^data: (.*)\n\n/gm)].map(([, data = '']) => {
    const event = JSON.parse(data) as { readonly type: string; readonly subject?: string };
    return { ...event, types: event.type, stream: event.subject };
  });
}
