import type { AddressInfo } from 'node:net';
import type { IngestConfig } from '@holdfast/config';
import { answerHealth, Health, healthPaths } from '@holdfast/observability';
import Fastify from 'fastify';

/** An ingest that listens. */
export interface RunningIngest {
  readonly url: string;
  readonly health: Health;
  /** Readiness off, then no more connections, then the answers under way; a request that is late by then is cut off. */
  stop(): Promise<void>;
}

/** How long a client has for its request: ingest takes small bodies, and a slow one holds a connection. */
const REQUEST_TIMEOUT_MS = 10_000;

/**
 * Starts ingest on bare Fastify, without Nest: its path has to stay up, and fast, whatever happens to the rest. Until it
 * takes telemetry it answers health endpoints only.
 */
export async function startIngest({
  host,
  ingestPort,
}: Pick<IngestConfig, 'host' | 'ingestPort'>): Promise<RunningIngest> {
  const health = new Health();
  const fastify = Fastify({ requestTimeout: REQUEST_TIMEOUT_MS, forceCloseConnections: 'idle' });
  for (const path of healthPaths) {
    fastify.get<{ Querystring: { verbose?: string } }>(path, async (request, reply) => {
      const { status, body } = await answerHealth(health, path, request.query.verbose !== undefined);
      return reply.status(status).header('cache-control', 'no-store').send(body);
    });
  }
  await fastify.listen({ host, port: ingestPort });
  health.started();
  const { port } = fastify.server.address() as AddressInfo;
  const stop = async (): Promise<void> => {
    health.drain();
    // Node looks for late requests every 30 s only, which is as long as whoever stops us waits.
    const cut = setTimeout(() => fastify.server.closeAllConnections(), REQUEST_TIMEOUT_MS);
    await fastify.close().finally(() => clearTimeout(cut));
  };
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, health, stop };
}
