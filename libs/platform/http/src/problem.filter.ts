import { DomainError } from '@holdfast/kernel';
import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { problemOf, refusalOf } from './problem';
import { noteRefusal } from './request';
import { isSubscription, refuseSubscription } from './subscriptions';

/** Answers every error as application/problem+json, and logs what nobody foresaw. GraphQL formats its own. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    if (host.getType<string>() === 'graphql')
      throw isSubscription(host) ? refuseSubscription(error, host) : error;
    const http = host.switchToHttp();
    sendProblem(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }
}

/** Sends the problem that an error amounts to. Also Fastify's own error handler, for what fails outside Nest. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  if (reply.sent) return;
  const refusal = refusalOf(error);
  noteRefusal(request, refusal);
  // What was foreseen is told in a line: under a flood a stack trace costs as much as an answer.
  if (error instanceof DomainError && refusal.status >= 500)
    request.log.warn({ code: refusal.code, reason: reasonOf(error) }, 'request refused');
  else if (refusal.status >= 500) request.log.error({ err: error, code: refusal.code }, 'request failed');
  if (refusal.retryAfterSeconds !== undefined) void reply.header('retry-after', refusal.retryAfterSeconds);
  if (refusal.status === 401) void reply.header('www-authenticate', 'Bearer');
  void reply
    .status(refusal.status)
    .type('application/problem+json')
    .send(JSON.stringify(problemOf(refusal, request)));
}

/** What stands behind an error, outermost first. */
function reasonOf({ cause }: Error): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  const behind = reasonOf(cause);
  return behind === undefined ? String(cause) : `${String(cause)} <- ${behind}`;
}
