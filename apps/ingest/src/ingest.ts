import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { IngestConfig } from '@holdfast/config';
import { answerHealth, Health, type HealthPath, healthPaths, type Logger } from '@holdfast/observability';
import { listPolicyStates } from '@holdfast/resilience';
import { Bodies } from './bodies';
import { boundConnections } from './connections';
import { Pipeline } from './pipeline';
import { telemetryRoutes } from './routes';
import { createHttpServer, type Handler, sendJson } from './server';

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

const BYTES_PER_MB = 1024 * 1024;

/**
 * Starts ingest, without Nest and without a framework: its path has to stay up, and fast, whatever happens to the rest. It waits for no
 * store: it listens, and takes telemetry, also while all of them and the API are away.
 */
export async function startIngest(
  config: IngestConfig,
  logger: Logger,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
): Promise<RunningIngest> {
  const health = new Health();
  health.show('policies', listPolicyStates);
  const pipeline = new Pipeline(config, logger);
  const { verifier, keyList, intake } = pipeline;
  const bodies = new Bodies(config.bodiesMb * BYTES_PER_MB);
  const http = createHttpServer(
    {
      requestTimeout: requestTimeoutMs,
      // Node cuts no late body while headers may take longer than the whole request.
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: LATE_CHECK_MS,
    },
    {
      get: new Map(healthPaths.map((path) => [path, healthHandler(health, path, logger)])),
      post: telemetryRoutes({ verifier, keyList, intake, bodies, logger }),
    },
  );
  boundConnections(http.server, config.connectionsMax);
  pipeline.start();
  const { host, ingestPort } = config;
  try {
    await once(http.server.listen(ingestPort, host), 'listening');
  } catch (err) {
    await pipeline.stop(DRAIN_MS);
    throw err;
  }
  health.started();
  const { port } = http.server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    health.drain();
    // What is slow by then takes no time from what is stored.
    await http.stop(requestTimeoutMs);
    await pipeline.stop(DRAIN_MS);
  };
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, health, stop };
}

function healthHandler(health: Health, path: HealthPath, logger: Logger): Handler {
  return ({ url = '' }, response) => {
    const isVerbose = new URLSearchParams(url.split('?')[1]).has('verbose');
    response.setHeader('cache-control', 'no-store');
    answerHealth(health, path, isVerbose).then(
      ({ status, body }) => sendJson(response, status, JSON.stringify(body)),
      (err: unknown) => {
        logger.error({ err }, 'The health of ingest cannot be told.');
        sendJson(response, 500, '{}');
      },
    );
  };
}
