import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { newId } from '@holdfast/kernel';
import { counter, gauge, healthPaths } from '@holdfast/observability';
import type { FastifyInstance } from 'fastify';
import { problemOf, type Refusal } from './problem';

declare module 'fastify' {
  interface FastifyRequest {
    /** Counts the request as work no longer, before its answer has ended. */
    leaveWork?: (() => void) | undefined;
  }
}

/** At 1 ms of work each, a second of it: who came behind them would be answered when nobody waits any more. */
const REQUESTS_MAX = 1_000;
/** So many take a tenth of a second, and fill all connections several times over: what waits beyond them waits in the kernel, unseen. */
const REQUESTS_MIN = 100;
/** How often is looked how late the event loop is, and how late it may be: as long as who is refused may wait to be told. */
const LOOK_EVERY_MS = 100;
const LATE_MS = 50;
/** Of what is at work, when the loop is late, and when only a pool has no room: that comes at once, and tells where the bound is. */
const DECREASE = 0.8;
const STEP_BACK = 0.95;
/** What is added when neither is: back at the most within 4 s. */
const INCREASE = 25;
/** An abandoned request ends by the deadline of its last statement; one that has not after this is counted no more. */
const ABANDONED_MAX_MS = 30_000;

/** What is answered where no connection to the database was free; also where it is away: then a hundred at work are plenty. */
const NO_ROOM = 'database.unavailable';

const OVERLOADED: Refusal = {
  status: 503,
  code: 'server.overloaded',
  detail: 'This server has more work than it can do in time. Nothing was changed; try again.',
};

const shed = counter({
  name: 'holdfast_http_shed_total',
  help: 'Requests refused because the process has more at work than it can do in time.',
});
const working = gauge({ name: 'holdfast_http_requests_at_work', help: 'Requests at work in this process.' });
const workingMax = gauge({
  name: 'holdfast_http_requests_at_work_max',
  help: 'How many requests may be at work: fewer while the event loop is late, more while it is not.',
});

/**
 * How many requests a process takes at a time. What is over it is refused before its credential is looked at, at a small part of what
 * it would cost: a queue that grows makes every answer late, and then all of the work is for nothing.
 *
 * The number follows how late the event loop is, and whether connections to the database suffice, by additive increase and multiplicative
 * decrease as in TCP (Chiu and Jain 1989), since nobody knows beforehand what a request costs, and which core it shares with whom.
 */
export class LoadShedding {
  private atWork = 0;
  private limit = REQUESTS_MAX;
  private isCrowded = false;
  private lookedAtMs = performance.now();
  private readonly looking: NodeJS.Timeout;

  constructor() {
    workingMax.set(this.limit);
    this.looking = setInterval(() => this.look(), LOOK_EVERY_MS).unref();
  }

  /** Whether there is room for one more, which then is at work until `leave`. */
  enter(): boolean {
    if (this.atWork >= this.limit) return false;
    this.atWork += 1;
    return true;
  }

  leave(): void {
    this.atWork -= 1;
  }

  /** Notes that one was let in for whom the database then had no room: refused there, it costs as much as one that is served. */
  crowd(): void {
    this.isCrowded = true;
  }

  /** How many may be at work. */
  get room(): number {
    return this.limit;
  }

  /** Takes the event loop to be so late, in milliseconds. */
  adapt(lateMs: number): void {
    if (lateMs > LATE_MS || this.isCrowded) {
      const share = lateMs > LATE_MS ? DECREASE : STEP_BACK;
      this.limit = Math.max(REQUESTS_MIN, Math.floor(Math.min(this.limit, this.atWork) * share));
    } else this.limit = Math.min(REQUESTS_MAX, this.limit + INCREASE);
    this.isCrowded = false;
    workingMax.set(this.limit);
    working.set(this.atWork);
  }

  close(): void {
    clearInterval(this.looking);
  }

  private look(): void {
    const now = performance.now();
    this.adapt(now - this.lookedAtMs - LOOK_EVERY_MS);
    this.lookedAtMs = now;
  }
}

/** Health is for those who want to know how the process is when it is not well; sockets that stay open have a limit of their own. */
const isWork = ({ url = '/', headers }: IncomingMessage): boolean =>
  headers.upgrade === undefined && !(healthPaths as readonly string[]).includes(url.split('?', 1)[0] ?? '/');

/**
 * Refuses what comes while the process has too much to do, ahead of the framework: under a flood, refusing is what the process does most,
 * and a request that has been routed, given a logger and hooks costs several times as much.
 */
export function shedLoad(fastify: FastifyInstance, shedding = new LoadShedding()): void {
  const leaving = new WeakMap<IncomingMessage, () => void>();
  const [serve] = fastify.server.listeners('request') as [RequestListener];
  fastify.server.removeListener('request', serve);
  fastify.server.on('request', (request, response) => {
    if (!isWork(request)) return serve(request, response);
    if (!shedding.enter()) return refuse(request, response);
    let isAtWork = true;
    const leave = (): void => {
      if (isAtWork) shedding.leave();
      isAtWork = false;
    };
    leaving.set(request, leave);
    // A client that goes away ends the answer and not the work: what was asked of the database runs on.
    response.once('close', () => {
      if (isAtWork) setTimeout(leave, ABANDONED_MAX_MS).unref();
    });
    serve(request, response);
  });
  fastify.addHook('onRequest', async (request) => void (request.leaveWork = leaving.get(request.raw)));
  fastify.addHook('onSend', async (request) => {
    request.leaveWork?.();
    if (request.refusals?.some(({ code }) => code === NO_ROOM)) shedding.crowd();
  });
  fastify.addHook('onClose', async () => shedding.close());
}

function refuse({ url = '/' }: IncomingMessage, response: ServerResponse): void {
  shed.inc();
  const id = newId();
  const body = JSON.stringify(problemOf(OVERLOADED, { url, id }));
  response.writeHead(OVERLOADED.status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'retry-after': '1',
    'x-request-id': id,
  });
  response.end(body);
}
