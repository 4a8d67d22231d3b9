import { Readable } from 'node:stream';
import { type DomainError, encodeJson } from '@holdfast/kernel';
import { cloudEventOf } from '@holdfast/events';
import { problemOf, refusalOf } from '@holdfast/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ReaderTooSlow, StreamsUnavailable } from '../delivery.errors';
import { endedTotal, openStreams, sentTotal } from './tail-metrics';
import type { TailItem, TailStream } from './tail-stream';

/** When a client that lost its stream comes again: spread, since those of a pod that stops all lose theirs at once. */
const RETRY_MIN_MS = 500;
const RETRY_SPREAD_MS = 1_500;
/** A client that has not read for this long is cut. It gets what it missed when it comes again. */
const SLOW_MAX_MS = 30_000;
const SLOW_LOOK_MS = 5_000;
/** What has been written has this long to leave once the stream has ended. */
const FLUSH_MAX_MS = 1_000;
const TRANSPORT = { transport: 'sse' };

/**
 * The stream as server-sent events (WHATWG HTML, 9.2). Each event has its cursor as `id`, so that Last-Event-ID leads on
 * from the very event that came last. What ends the stream is told by an event `problem`, without an id.
 *
 * Pulled by the socket: nothing is read that the client has no room for.
 */
export function serverSentEvents(
  stream: TailStream,
  { request, raw }: FastifyReply,
  { slowMaxMs = SLOW_MAX_MS, lookMs = SLOW_LOOK_MS } = {},
): Readable {
  const writer = new Writer(stream, request);
  const readable = Readable.from(writer.texts(), { objectMode: false });
  const looking = setInterval(() => {
    if (writer.blockedMs > slowMaxMs) stream.end(new ReaderTooSlow());
  }, lookMs).unref();
  openStreams.inc(TRANSPORT);
  stream.signal.addEventListener('abort', () => {
    clearInterval(looking);
    openStreams.dec(TRANSPORT);
    endedTotal.inc({ ...TRANSPORT, reason: stream.failure?.code ?? 'closed' });
    setTimeout(() => readable.destroy(), FLUSH_MAX_MS).unref();
  });
  // A generator that waits does not hear that its reader has gone.
  raw.once('close', () => stream.end());
  return readable;
}

class Writer {
  private writingSinceMs: number | undefined;

  constructor(
    private readonly stream: TailStream,
    private readonly request: FastifyRequest,
  ) {}

  /** For how long the client has had no room for what is next. */
  get blockedMs(): number {
    return this.writingSinceMs === undefined ? 0 : performance.now() - this.writingSinceMs;
  }

  async *texts(): AsyncGenerator<string, void, undefined> {
    for await (const text of this.parts()) {
      this.writingSinceMs = performance.now();
      yield text;
      this.writingSinceMs = undefined;
    }
  }

  private async *parts(): AsyncGenerator<string, void, undefined> {
    yield retryText();
    for await (const item of this.stream.items()) {
      yield textOf(item);
      if (item.event) sentTotal.inc(TRANSPORT);
    }
    if (this.stream.failure) yield this.endText(this.stream.failure);
  }

  private endText(failure: DomainError): string {
    if (failure instanceof StreamsUnavailable) return `${retryText()}: this process stops\n\n`;
    const problem = problemOf(refusalOf(failure), this.request);
    return `event: problem\ndata: ${encodeJson(problem)}\n\n`;
  }
}

function textOf({ cursor, event }: TailItem): string {
  // An id alone is no event, and moves the Last-Event-ID on; the comment keeps proxies from closing what is quiet.
  if (!event) return `: nothing since\nid: ${cursor}\n\n`;
  return `id: ${cursor}\nevent: ${event.type}\ndata: ${encodeJson(cloudEventOf(event))}\n\n`;
}

function retryText(): string {
  return `retry: ${RETRY_MIN_MS + Math.floor(Math.random() * RETRY_SPREAD_MS)}\n\n`;
}
