import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Intake,
  type KeyList,
  readBody,
  RequestRefused,
  SEGMENT_CALLS,
  type WriteKeyHolder,
  type WriteKeyVerifier,
} from '@holdfast/ingest';
import { counter, type Logger } from '@holdfast/observability';
import { type Bodies, BUSY_RETRY_SECONDS } from './bodies';
import { otlp, posthog, type Protocol, segment } from './protocol';
import { type Handler, sendJson } from './server';

/** What the routes hand events to, and ask whose they are. */
export interface RoutesOptions {
  readonly verifier: WriteKeyVerifier;
  readonly keyList: KeyList;
  readonly intake: Intake;
  readonly bodies: Bodies;
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

/** What takes telemetry, by path. Bodies come as bytes, whatever their header calls them. */
export function telemetryRoutes(options: RoutesOptions): ReadonlyMap<string, Handler> {
  const routes = new Map<string, Handler>();
  for (const call of [...SEGMENT_CALLS, 'batch'] as const)
    routes.set(`/v1/${call}`, handlerOf(segment(call), options));
  for (const path of ['/batch', '/capture', '/e', '/i/v0/e'])
    for (const spelling of [path, `${path}/`]) routes.set(spelling, handlerOf(posthog, options));
  routes.set('/v1/logs', handlerOf(otlp, options));
  for (const path of ['/flags', '/flags/', '/decide', '/decide/'])
    routes.set(path, (_, response) => sendJson(response, 200, NO_FLAGS));
  return routes;
}

function handlerOf(protocol: Protocol, options: RoutesOptions): Handler {
  const refuse = (request: IncomingMessage, response: ServerResponse, error: unknown): void => {
    const isRefusal = error instanceof RequestRefused;
    if (!isRefusal) options.logger.error({ err: error }, 'A request for telemetry has failed.');
    const { status, code, message } = isRefusal ? error : FAILED;
    if (code === 'ingest.busy') response.setHeader('retry-after', BUSY_RETRY_SECONDS);
    requests.inc({ protocol: protocol.name, code });
    // The rest of its body would be taken for the next request.
    if (!request.complete) response.shouldKeepAlive = false;
    sendJson(response, status, protocol.refused({ status, code, message }));
  };
  return (request, response) =>
    options.bodies.read(request, (outcome) => {
      try {
        if (outcome instanceof RequestRefused) throw outcome;
        const answer = take(request, response, outcome, protocol, options);
        taken[protocol.name] += 1;
        sendJson(response, 200, answer);
      } catch (error) {
        refuse(request, response, error);
      }
    });
}

/** Reads, counts what cannot be read, and hands over the rest. Answers what the SDK is told, or throws why nothing is taken. */
function take(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Buffer,
  protocol: Protocol,
  { verifier, keyList, intake }: RoutesOptions,
): string {
  const receivedAtMs = Date.now();
  const { authorization } = request.headers;
  // Whose it is before what it says, where a header tells: strangers do not cost a parse.
  const early =
    authorization === undefined ? undefined : admitted(verifier.holderNamedBy(authorization), keyList);
  const body = readBody(bytes, protocol.name === 'segment');
  const holder = early ?? admitted(holderOf(protocol.keyIn(body), verifier), keyList);
  const reading = protocol.read(body, receivedAtMs);
  for (const { reason, sample } of reading.rejects) intake.reject(holder, reason, 1, sample);
  const { retryAfterMs, isOverQuota } = intake.accept(holder, reading.events, receivedAtMs);
  if (retryAfterMs !== undefined) {
    response.setHeader('retry-after', Math.max(1, Math.ceil(retryAfterMs / 1_000)));
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
