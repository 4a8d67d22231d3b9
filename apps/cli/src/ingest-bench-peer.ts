import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';

/** The peer of ingest: a bare Fastify that parses the same bodies and discards them. It tells its port, and its CPU when asked. */
const fastify = Fastify();
const answer = async (): Promise<object> => ({ success: true });
fastify.post('/v1/track', answer);
fastify.post('/v1/batch', answer);

void fastify.listen({ host: '127.0.0.1', port: 0 }).then(() => {
  process.send?.((fastify.server.address() as AddressInfo).port);
});
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.((user + system) / 1e6);
});
process.once('disconnect', () => process.exit());
