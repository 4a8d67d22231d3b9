import { isSubscription, requestOf } from '@holdfast/http';
import type { UserActivity } from '@holdfast/ingest';
import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { GqlExecutionContext } from '@nestjs/graphql';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { GraphQLResolveInfo } from 'graphql';
import type { Observable } from 'rxjs';

/** Fields of one document that are recorded each; a document may ask for many more of the same. */
const FIELDS_MAX = 10;

/** What was asked of each request of GraphQL, as schema coordinates: `Query.accounts`. */
const fields = new WeakMap<FastifyRequest, Set<string>>();

/** Notes which root fields a document has reached: its route says nothing, and its operation is named by its sender. */
@Injectable()
export class FieldsOfRequests implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType<string>() === 'graphql' && !isSubscription(context)) {
      const { parentType, fieldName } = GqlExecutionContext.create(context).getInfo<GraphQLResolveInfo>();
      const request = requestOf(context);
      const noted = fields.get(request) ?? new Set();
      if (noted.size < FIELDS_MAX) fields.set(request, noted.add(`${parentType.name}.${fieldName}`));
    }
    return next.handle();
  }
}

/**
 * Records each request of a member once it is answered: the pattern of its route, which holds no values, or each field of its document.
 * Never what was sent or answered, nor from where.
 */
export function recordRequests(fastify: FastifyInstance, activity: UserActivity): void {
  fastify.addHook('onResponse', async (request, reply) => {
    const { caller, method, routeOptions } = request;
    if (!caller) return;
    const names = fields.get(request) ?? [`${method} ${routeOptions.url ?? 'unknown'}`];
    const properties = { status: reply.statusCode, durationMs: Math.round(reply.elapsedTime) };
    for (const name of names) activity.record(caller, name, properties);
  });
}
