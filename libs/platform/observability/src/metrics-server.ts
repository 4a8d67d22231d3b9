import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Health } from './health';
import { answerHealth, healthPaths } from './health-endpoints';
import { collectProcessMetrics, metricsText } from './metrics';

/** A small server of its own for machines that watch: /metrics, and health for processes without another port. */
export interface MetricsServer {
  /** The port that it got. */
  readonly port: number;
  close(): Promise<void>;
}

/** Starts it; port 0 takes a free one. Rejects with the system's error (EADDRINUSE) when the port is taken. */
export async function startMetricsServer(options: {
  readonly host: string;
  readonly port: number;
  readonly health: Health;
}): Promise<MetricsServer> {
  collectProcessMetrics();
  const server = createServer((request, response) => void answer(options.health, request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) };
}

async function answer(health: Health, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const healthPath = healthPaths.find((path) => path === url.pathname);
  try {
    if (healthPath) {
      const { status, body } = await answerHealth(health, healthPath, url.searchParams.has('verbose'));
      send(response, status, 'application/json', JSON.stringify(body));
    } else if (url.pathname === '/metrics') {
      const { contentType, text } = await metricsText();
      send(response, 200, contentType, text);
    } else {
      send(response, 404, 'text/plain', 'Here are /metrics, /livez, /readyz and /startupz.\n');
    }
  } catch {
    // A gauge whose collect function throws. Prometheus shows the target as down; the process goes on.
    send(response, 500, 'text/plain', 'The metrics could not be collected.\n');
  }
}

function send(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' }).end(body);
}

async function closeServer(server: Server): Promise<void> {
  await new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}
