import { healthPaths } from '@holdfast/observability';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Limits } from './limits';
import { rateLimitFields } from './rate-limit-fields';

/** Health is for balancers, which ask often and from few addresses. */
const UNLIMITED: readonly (string | undefined)[] = healthPaths;

/** Counts every request by its address as it comes, and writes on every answer how its client stands. */
export function limitRequests(fastify: FastifyInstance, limits: Limits): void {
  fastify.decorateRequest('limits');
  fastify.addHook('onRequest', async (request) => {
    request.chargeGuess = () => limits.chargeGuess(request);
    if (!UNLIMITED.includes(request.routeOptions.url)) await limits.admitAddress(request);
  });
  fastify.addHook('onSend', async (request, reply) => {
    if (!request.limits) return;
    const { standings, onAnswered } = request.limits;
    request.limits.isAnswered = true;
    onAnswered?.();
    if (standings.length > 0) reply.headers({ ...rateLimitFields(standings) });
  });
  fastify.addHook('onResponse', async (request, reply) => {
    if (request.limits && reply.statusCode === 401) await limits.chargeGuess(request);
  });
}

/** Gives the permit of a request back while its answer goes on: the answer is a stream, which has a limit of its own. */
export function givePermitBack(request: FastifyRequest): void {
  request.limits?.release?.();
  request.leaveWork?.();
}
