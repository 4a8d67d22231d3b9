import type { FastifyInstance } from 'fastify';

/** What a browser may be told that it may send: names of headers. */
const NAMES = /^[\w\-, ]{1,1000}$/;
const A_DAY_S = 86_400;

/**
 * Lets pages of every origin send: a write key is public, and nothing here reads a cookie. The origin is named instead of `*` because
 * beacons are sent with credentials, and browsers then take no star.
 */
export function allowAllOrigins(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers;
    if (origin !== undefined) {
      reply.header('access-control-allow-origin', origin);
      reply.header('access-control-allow-credentials', 'true');
      reply.header('access-control-expose-headers', 'retry-after');
      reply.header('vary', 'origin');
    }
    done();
  });
  fastify.options('/*', (request, reply) => {
    const names = request.headers['access-control-request-headers'];
    if (names !== undefined && NAMES.test(names)) reply.header('access-control-allow-headers', names);
    reply.header('access-control-allow-methods', 'POST').header('access-control-max-age', A_DAY_S);
    return reply.status(204).send();
  });
}
