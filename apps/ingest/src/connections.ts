import type { Server } from 'node:http';
import { counter, gauge } from '@holdfast/observability';

const refused = counter({
  name: 'holdfast_ingest_connections_refused_total',
  help: 'Connections that were closed at once, because as many were open as may be.',
});

// Set by the process's server when Prometheus asks.
let count: (() => number) | undefined;
gauge({
  name: 'holdfast_ingest_connections',
  help: 'Connections that are open.',
  collect() {
    if (count) this.set(count());
  },
});

/**
 * Bounds the connections of a server: one more is closed before anything is read of it, which senders take for a fault of the network and
 * try again. Without a bound the files that a process may open are used up, and it cannot open its own.
 */
export function boundConnections(server: Server, connectionsMax: number): void {
  server.maxConnections = connectionsMax;
  server.on('drop', () => refused.inc());
  let open = 0;
  server.on('connection', (socket) => {
    open += 1;
    socket.once('close', () => (open -= 1));
  });
  count = () => open;
}
