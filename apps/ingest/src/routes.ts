import {
  type Intake,
  type KeyList,
  readBody,
  RequestRefused,
  SEGMENT_CALLS,
  tooLarge,
  type WriteKeyHolder,
  type WriteKeyVerifier,
} from '@holdfast/ingest';
import { counter, type Logger } from '@holdfast/observability';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BUSY_RETRY_SECONDS } from './bodies';
import { otlp, posthog, type Protocol, segment } from './protocol';

/** What the routes hand events to, and ask whose they are. */
export interface RoutesOptions {
  readonly verifier: WriteKeyVerifier;
  readonly keyList: KeyList;
  readonly intake: Intake;
  readonly logger: Pick<Logger, 'error'>;
}

/** Requests that were taken since Prometheus asked last: to count each under its labels takes longer than to find out whose it is. */
const taken = { segment: 0, posthog: 0, otlp: 0 };

const requests = counter({
  name: 'holdfast_ingest_requests_total',
  help: 'Requests that bring telemetry, by protocol and by what was answered: `taken`, or the code of a refusal.',
  labels: ['protocol', 'code'],
  collect() {
    for (const protocol of ['segment', 'posthog', 'otlp'] as const) {
      this.inc({ protocol, code: 'taken' }, taken[protocol]);
      taken[protocol] = 0;
    }
  },
});

/** Says that PostHog's SDKs find no feature flag here, so that they ask once and go on. */
const NO_FLAGS = '{"flags":{},"featureFlags":{},"featureFlagPayloads":{},"errorsWhileComputingFlags":false}';
const JSON_TYPE = 'application/json; charset=utf-8';

/** Adds what takes telemetry. Bodies come as bytes, whatever their header calls them. */
export function addRoutes(fastify: FastifyInstance, options: RoutesOptions): void {
  for (const call of [...SEGMENT_CALLS, 'batch'] as const)
    add(fastify, `/v1/${call}`, segment(call), options);
  for (const path of ['/batch', '/batch/', '/capture', '/capture/', '/e', '/e/', '/i/v0/e', '/i/v0/e/'])
    add(fastify, path, posthog, options);
  add(fastify, '/v1/logs', otlp, options);
  for (const path of ['/flags', '/flags/', '/decide', '/decide/'])
    fastify.post(path, (_, reply) => send(reply, 200, NO_FLAGS));
}

function add(fastify: FastifyInstance, path: string, protocol: Protocol, options: RoutesOptions): void {
  const refuse = (reply: FastifyReply, error: unknown): void => {
    const refusal = refusalOf(error);
    if (!refusal) options.logger.error({ err: error }, 'A request for telemetry has failed.');
    const { status, code, message } = refusal ?? FAILED;
    if (code === 'ingest.busy') reply.header('retry-after', BUSY_RETRY_SECONDS);
    requests.inc({ protocol: protocol.name, code });
    send(reply, status, protocol.refused({ status, code, message }));
  };
  fastify.post(path, {
    errorHandler: (error, _, reply) => refuse(reply, error),
    // Answers by itself: what a handler returns Fastify waits for.
    handler: (request, reply) => {
      try {
        const answer = take(request, reply, protocol, options);
        taken[protocol.name] += 1;
        send(reply, 200, answer);
      } catch (error) {
        refuse(reply, error);
      }
    },
  });
}

/** Reads, counts what cannot be read, and hands over the rest. Answers what the SDK is told, or throws why nothing is taken. */
function take(
  request: FastifyRequest,
  reply: FastifyReply,
  protocol: Protocol,
  { verifier, keyList, intake }: RoutesOptions,
): string {
  const receivedAtMs = Date.now();
  const { authorization } = request.headers;
  // Whose it is before what it says, where a header tells: strangers do not cost a parse.
  const early =
    authorization === undefined ? undefined : admitted(verifier.holderNamedBy(authorization), keyList);
  const body = readBody(request.body as Buffer, protocol.name === 'segment');
  const holder = early ?? admitted(holderOf(protocol.keyIn(body), verifier), keyList);
  const reading = protocol.read(body, receivedAtMs);
  for (const { reason, sample } of reading.rejects) intake.reject(holder, reason, 1, sample);
  const { retryAfterMs, isOverQuota } = intake.accept(holder, reading.events, receivedAtMs);
  if (retryAfterMs !== undefined) {
    reply.header('retry-after', Math.max(1, Math.ceil(retryAfterMs / 1_000)));
    throw new RequestRefused(
      429,
      isOverQuota ? 'ingest.over_quota' : 'ingest.overloaded',
      'More than is taken at the moment. Send it again later.',
    );
  }
  const answer = protocol.taken(reading);
  if (answer === undefined)
    throw new RequestRefused(400, 'ingest.invalid', reading.rejects[0]?.message ?? '');
  return answer;
}

function holderOf(key: unknown, verifier: WriteKeyVerifier): WriteKeyHolder | undefined {
  return typeof key === 'string' ? verifier.holderOf(key) : undefined;
}

function admitted(holder: WriteKeyHolder | undefined, keyList: KeyList): WriteKeyHolder {
  if (!holder) throw new RequestRefused(401, 'ingest.invalid_key', 'There is no valid write key.');
  const { refused } = keyList.stateOf(holder);
  if (refused === 'revoked')
    throw new RequestRefused(401, 'ingest.revoked_key', 'The write key has been revoked.');
  if (refused === 'suspended')
    throw new RequestRefused(403, 'ingest.suspended', 'The tenant of the write key is not active.');
  return holder;
}

const FAILED = { status: 500, code: 'ingest.failed', message: 'The request has failed.' } as const;

/** Also what Fastify refuses before a route is asked: bodies that are too large, or shorter than they say. */
function refusalOf(error: unknown): RequestRefused | undefined {
  if (error instanceof RequestRefused) return error;
  const { statusCode = 500, message } = error as { statusCode?: number; message: string };
  if (statusCode === 413) return tooLarge();
  return statusCode < 500 ? new RequestRefused(400, 'ingest.bad_request', message) : undefined;
}

function send(reply: FastifyReply, status: number, text: string): void {
  void reply.status(status).header('content-type', JSON_TYPE).send(text);
}
