import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type CommittedEvents, Deadline, newId } from '@holdfast/kernel';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  answerHealth,
  openServerSpan,
  counter,
  type Health,
  healthPaths,
  histogram,
  type Logger,
  NestLogger,
  readTraceparent,
} from '@holdfast/observability';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { guardGraphql, serveGraphqlSchema } from './graphql';
import { readStrictJson } from './json-body';
import { shedLoad } from './load-shedding';
import { serveOpenApi } from './openapi';
import { problemOf, refusalOf } from './problem';
import { ProblemFilter, sendProblem } from './problem.filter';
import { SchemaPipe } from './schema.pipe';
import { guardSockets, isSubscriptionUpgrade } from './subscriptions';

/** How an HTTP application of ours is set up. */
export interface HttpOptions {
  readonly logger: Logger;
  readonly health: Health;
  /** Shown in the reference. */
  readonly version: string;
  /** Addresses of the proxies whose X-Forwarded-* headers tell the truth; from others they are ignored. */
  readonly trustedProxies?: readonly string[];
  /** How long a request may take, in milliseconds: 10 s where nothing is said. A client may ask for less. */
  readonly answerTimeoutMs?: number;
  /** Signs the receipt for what a request has committed; never throws. Without it answers carry none. */
  readonly receiptFor?: (requestId: string, committed: CommittedEvents) => Promise<string | undefined>;
}

/** Bodies of ordinary routes, in bytes: 1 MiB. A route that takes more says so itself. */
const BODY_MAX = 1_048_576;
/** A client has this long to send its request. Slow ones would hold a connection each. */
const REQUEST_TIMEOUT_MS = 15_000;
/** For the headers alone. Less than the above: Node exchanges the two where it is more. */
const HEADERS_TIMEOUT_MS = 10_000;
const FINISH_TIMEOUT_MS = 10_000;
/** Less than load balancers wait, and as long as a process that stops waits for its last answers. */
const ANSWER_TIMEOUT_MS = 10_000;
/** Longer than the 60 s for which load balancers keep idle connections: the side that closes first should be theirs. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000;

const requestSeconds = histogram({
  name: 'holdfast_http_request_duration_seconds',
  help: 'Time from a request to the end of its answer in seconds, by method, route and status.',
  labels: ['method', 'route', 'status'],
});

const refused = counter({
  name: 'holdfast_http_refusals_total',
  help: 'Refusals by code and route; a GraphQL document has one for each field that is refused.',
  labels: ['code', 'route'],
});

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** Ours is set before the first route; the one that Nest sets behind the last would answer in a form of its own. */
class ProblemAdapter extends FastifyAdapter {
  override setErrorHandler(): ReturnType<FastifyAdapter['setErrorHandler']> {
    return this.instance;
  }
}

/** Builds an application with the contract that all our routes share: request ids, strict input, problem+json, OpenAPI, GraphQL. */
export async function createHttpApplication(
  module: DynamicModule,
  options: HttpOptions,
): Promise<NestFastifyApplication> {
  const loggerInstance: FastifyBaseLogger = options.logger;
  const fastify = Fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    bodyLimit: BODY_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Node looks for late requests every 30 s by default, which would triple the limit.
    http: {
      connectionsCheckingInterval: 1_000,
      headersTimeout: HEADERS_TIMEOUT_MS,
      shouldUpgradeCallback: isSubscriptionUpgrade,
    },
    clientErrorHandler: refuseRawRequest,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    trustProxy: options.trustedProxies?.length ? [...options.trustedProxies] : false,
    forceCloseConnections: 'idle',
    genReqId: ({ headers }) => acceptedRequestId(headers['x-request-id']),
    routerOptions: { maxParamLength: 500 },
    frameworkErrors: sendProblem,
  });
  fastify.setErrorHandler((error, request, reply) => sendProblem(error, request, reply));
  shedLoad(fastify);
  accompanyRequests(fastify, options);
  serveHealth(fastify, options.health);
  guardGraphql(fastify);
  guardSockets(fastify);
  const app = await NestFactory.create<NestFastifyApplication>(module, new ProblemAdapter(fastify as never), {
    bodyParser: false,
    logger: new NestLogger(options.logger),
    abortOnError: false,
  });
  readStrictJson(fastify);
  app.useGlobalPipes(new SchemaPipe());
  app.useGlobalFilters(new ProblemFilter());
  serveOpenApi(app, options.version);
  serveGraphqlSchema(app);
  await app.init();
  await fastify.ready();
  return app;
}

/** Answers what is no HTTP request, or arrives too slowly or with too much, before there is a request to speak of. */
function refuseRawRequest(error: Error & { readonly code?: string }, socket: Socket): void {
  if (socket.destroyed || !socket.writable) return;
  const status = RAW_STATUS[error.code ?? ''] ?? 400;
  const refusal = refusalOf(Object.assign(new Error('not a request'), { statusCode: status }));
  const body = JSON.stringify(problemOf(refusal, { url: '/', id: newId() }));
  const headers = [
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
}

const RAW_STATUS: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/**
 * Stops listening, waits for the answers under way and closes. Answers take less than 10 s, since every statement and
 * store has a deadline; what is open after that is a request that its client never finished, and is cut.
 */
export async function closeHttpApplication(app: NestFastifyApplication): Promise<void> {
  const { server } = app.getHttpAdapter().getInstance();
  const cutting = setTimeout(() => server.closeAllConnections(), FINISH_TIMEOUT_MS);
  try {
    await app.close();
  } finally {
    clearTimeout(cutting);
  }
}

/** What every request is given when it comes, and every answer when it goes. */
function accompanyRequests(
  fastify: FastifyInstance,
  { health, receiptFor, answerTimeoutMs = ANSWER_TIMEOUT_MS }: HttpOptions,
): void {
  fastify.decorateRequest('traceparent', '');
  fastify.decorateRequest('deadline');
  // A route that takes larger bodies says so in its RouteConfig: Nest hands on no other option of Fastify's routes.
  fastify.addHook('onRoute', (route) => {
    const { bodyLimit } = (route.config ?? {}) as { readonly bodyLimit?: number };
    if (bodyLimit !== undefined) route.bodyLimit = bodyLimit;
  });
  fastify.addHook('onRequest', async (request, reply) => {
    const { traceparent } = request.headers;
    const { method, routeOptions } = request;
    const route = routeOptions.url ?? 'unknown';
    const attributes = { 'http.request.method': method, 'http.route': route };
    request.deadline = Deadline.in(timeoutOf(request.headers['x-request-timeout-ms'], answerTimeoutMs));
    const came = typeof traceparent === 'string' ? traceparent : undefined;
    request.span = openServerSpan(`${method} ${route}`, attributes, came);
    request.traceparent = request.span.traceparent;
    reply.header('x-request-id', request.id);
  });
  fastify.addHook('onSend', async (request, reply) => {
    if (request.idempotency?.replayed) reply.header('idempotency-replayed', 'true');
    const { id, committed } = request;
    const receipt = committed && (await receiptFor?.(id, committed));
    if (receipt !== undefined) reply.header('holdfast-receipt', receipt);
    // The client opens its next connection elsewhere, so that none is open when this process stops listening.
    if (health.draining) reply.header('connection', 'close');
  });
  fastify.addHook('onResponse', async (request, reply) => {
    const { method } = request;
    const route = request.routeOptions.url ?? 'unknown';
    const status = reply.statusCode;
    requestSeconds.observe({ method, route, status: String(status) }, reply.elapsedTime / 1_000);
    for (const { code } of request.refusals ?? []) refused.inc({ code, route });
    request.span?.end({ 'http.response.status_code': status });
    const traceId = readTraceparent(request.traceparent ?? '')?.traceId;
    const { tenantId, actor, act = request.operator } = request.caller ?? {};
    const code = request.refusals?.[0]?.code;
    request.log.info(
      {
        method,
        route,
        status,
        durationMs: Math.round(reply.elapsedTime),
        traceId,
        tenantId,
        actor,
        act,
        code,
      },
      'request answered',
    );
  });
}

function serveHealth(fastify: FastifyInstance, health: Health): void {
  for (const path of healthPaths) {
    fastify.get<{ Querystring: { verbose?: string } }>(path, { logLevel: 'warn' }, async (request, reply) => {
      const { status, body } = await answerHealth(health, path, request.query.verbose !== undefined);
      return reply.status(status).header('cache-control', 'no-store').send(body);
    });
  }
}

/** What the client waits for, where it says so and that is less than it may take. Anything else in the header is ignored, as its absence is. */
function timeoutOf(asked: string | string[] | undefined, maxMs: number): number {
  return typeof asked === 'string' && /^\d{1,9}$/.test(asked) ? Math.min(Number(asked), maxMs) : maxMs;
}

function acceptedRequestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : newId();
}
