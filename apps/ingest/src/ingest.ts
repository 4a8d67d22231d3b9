import type { AddressInfo } from 'node:net';
import type { IngestConfig } from '@holdfast/config';
import { BODY_BYTES_MAX } from '@holdfast/ingest';
import { answerHealth, Health, healthPaths, type Logger } from '@holdfast/observability';
import { listPolicyStates } from '@holdfast/resilience';
import Fastify, { type FastifyInstance } from 'fastify';
import { Bodies } from './bodies';
import { boundConnections } from './connections';
import { allowAllOrigins } from './cross-origin';
import { Pipeline } from './pipeline';
import { addRoutes } from './routes';

/** An ingest that listens. */
export interface RunningIngest {
  readonly url: string;
  readonly health: Health;
  /**
   * Readiness off, then no more connections, then the answers under way, a late one of which is cut off, then what is in memory is
   * stored or spilled.
   */
  stop(): Promise<void>;
}

/** How long a client has for its request: ingest takes small bodies, and a slow one holds a connection. */
const REQUEST_TIMEOUT_MS = 10_000;
/** Node looks for late requests so often. */
const LATE_CHECK_MS = 1_000;
/** What is in memory by then is spilled; with the requests it is less than the 25 s that a process has to stop. */
const DRAIN_MS = 8_000;

/**
 * Starts ingest on bare Fastify, without Nest: its path has to stay up, and fast, whatever happens to the rest. It waits for no store:
 * it listens, and takes telemetry, also while all of them and the API are away.
 */
export async function startIngest(
  config: IngestConfig,
  logger: Logger,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
): Promise<RunningIngest> {
  const health = new Health();
  health.show('policies', listPolicyStates);
  const fastify = Fastify({
    requestTimeout: requestTimeoutMs,
    forceCloseConnections: 'idle',
    bodyLimit: BODY_BYTES_MAX,
    // Node cuts no late body while headers may take longer than the whole request.
    http: { connectionsCheckingInterval: LATE_CHECK_MS, headersTimeout: requestTimeoutMs },
  });
  const pipeline = new Pipeline(config, logger);
  const { verifier, keyList, intake } = pipeline;
  takeBytes(fastify, new Bodies(config.bodiesMb * BYTES_PER_MB));
  boundConnections(fastify.server, config.connectionsMax);
  allowAllOrigins(fastify);
  addHealth(fastify, health);
  addRoutes(fastify, { verifier, keyList, intake, logger });
  pipeline.start();
  const { host, ingestPort } = config;
  const stopServer = async (): Promise<void> => {
    // What is slow by then is cut, so that it takes no time from what is stored.
    const cut = setTimeout(() => fastify.server.closeAllConnections(), requestTimeoutMs);
    await fastify.close().finally(() => clearTimeout(cut));
  };
  try {
    await fastify.listen({ host, port: ingestPort });
  } catch (err) {
    await pipeline.stop(DRAIN_MS);
    throw err;
  }
  health.started();
  const { port } = fastify.server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    health.drain();
    await stopServer();
    await pipeline.stop(DRAIN_MS);
  };
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, health, stop };
}

/** Bodies as bytes, under whatever type: what they are is read from them. A type that is none would be refused by Fastify. */
function takeBytes(fastify: FastifyInstance, bodies: Bodies): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser(BYTES, (_, payload, done) => bodies.read(payload, done));
  fastify.addHook('onRequest', (request, _, done) => {
    request.raw.headers['content-type'] = BYTES;
    done();
  });
}

const BYTES = 'application/octet-stream';
const BYTES_PER_MB = 1024 * 1024;

function addHealth(fastify: FastifyInstance, health: Health): void {
  for (const path of healthPaths) {
    fastify.get<{ Querystring: { verbose?: string } }>(path, async (request, reply) => {
      const { status, body } = await answerHealth(health, path, request.query.verbose !== undefined);
      return reply.status(status).header('cache-control', 'no-store').send(body);
    });
  }
}
