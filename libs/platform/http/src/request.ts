import { type Caller, CommittedEvents, type Deadline, DomainError, type Principal } from '@holdfast/kernel';
import type { Idempotency } from '@holdfast/cqrs';
import type { OpenSpan } from '@holdfast/observability';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { GqlExecutionContext } from '@nestjs/graphql';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Refusal } from './problem';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the guard that has verified the request's credential. */
    caller?: Caller;
    /** Admits the credential anew, for what takes longer than a revocation may; rejects once it is no longer good. */
    readmit?: () => Promise<Caller>;
    /** `operator:<name>`, whose key the guard has recognised: on routes that are the operator's alone. */
    operator?: string;
    /** Whose token the guard has verified: on routes that need no tenant yet. */
    principal?: Principal;
    /** What was refused: one, or one for each field of a GraphQL document. */
    refusals?: Refusal[];
    idempotency?: Idempotency;
    /** By when it has to be answered. A stream and a subscription have none once they have begun. */
    deadline?: Deadline | undefined;
    /** The events that were committed for it, which the answer's receipt is about. */
    committed?: CommittedEvents;
    /** W3C trace context of the request: the client's, or one that begins here. */
    traceparent?: string;
    /** The span of the request. */
    span?: OpenSpan;
    /** Takes from the address what a refused credential costs, where no answer says 401. */
    chargeGuess?: () => Promise<void>;
    /** How many ordinary requests this one stands for, where its input says so. */
    cost?: number;
  }
}

/** The Idempotency-Key is missing on a route that needs one. */
export class IdempotencyKeyMissing extends DomainError {
  readonly code = 'idempotency.key_missing';
  readonly kind = 'malformed';

  constructor() {
    super('This route changes state: send an Idempotency-Key header of 1 to 255 printable characters.');
  }
}

/** The reply to a REST handler's or GraphQL resolver's request. */
export function replyOf(context: ExecutionContext): FastifyReply {
  if (context.getType<string>() !== 'graphql') return context.switchToHttp().getResponse<FastifyReply>();
  return GqlExecutionContext.create(context).getContext<{ reply: FastifyReply }>().reply;
}

/** The Fastify request behind a REST handler or a GraphQL resolver. */
export function requestOf(context: ExecutionContext): FastifyRequest {
  return replyOf(context).request;
}

/** What the callers of a request have in common, whichever tenants they act in. */
export function originOf(request: FastifyRequest): Pick<Caller, 'requestId' | 'traceparent' | 'committed'> {
  const { id: requestId, traceparent } = request;
  return { requestId, traceparent, committed: (request.committed ??= new CommittedEvents()) };
}

/** The caller of what goes on for longer than a request may: a stream, or an answer that is waited for. */
export function withoutDeadline(caller: Caller): Caller {
  return { ...caller, deadline: undefined };
}

/** Who calls: for REST handlers and GraphQL resolvers alike. */
export const CallerOf = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const { caller } = requestOf(context);
  if (!caller) throw new Error('a route without an authentication guard asked for its caller');
  return caller;
});

/** Who bears the verified token, on routes that need no tenant. */
export const PrincipalOf = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = requestOf(context);
  if (!principal) throw new Error('a route that is not PrincipalOnly asked for its principal');
  return principal;
});

/** The request's Idempotency-Key; refuses a request without one. */
export const IdempotencyKey = createParamDecorator((_: unknown, context: ExecutionContext): Idempotency => {
  const request = requestOf(context);
  const key = request.headers['idempotency-key'];
  return (request.idempotency = idempotencyOf(key));
});

/** Checks a key, of a header or of a GraphQL argument. Throws IdempotencyKeyMissing. */
export function idempotencyOf(key: unknown): Idempotency {
  if (typeof key !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(key)) throw new IdempotencyKeyMissing();
  return { key, replayed: false };
}

/** Leaves a refusal with its request, for those who look at it once it is answered. */
export function noteRefusal(request: FastifyRequest, refusal: Refusal): void {
  (request.refusals ??= []).push(refusal);
}
