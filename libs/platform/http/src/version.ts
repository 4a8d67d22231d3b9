import { DomainError } from '@holdfast/kernel';
import {
  applyDecorators,
  type CallHandler,
  createParamDecorator,
  type ExecutionContext,
  type NestInterceptor,
  UseInterceptors,
} from '@nestjs/common';
import { ApiHeader } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { type Observable, tap } from 'rxjs';
import { requestOf } from './request';

/** The route changes what others may be changing too, and was not told which version is meant. */
export class VersionMissing extends DomainError {
  readonly code = 'request.version_missing';
  readonly kind = 'precondition_required';

  constructor() {
    super('Send If-Match with the ETag of the object that you have read.');
  }
}

const ETAG = /^"(\d{1,18})"$/;

/**
 * The version in If-Match. Refuses a request without one; what is no ETag of ours is a version that nothing has, which
 * the command then refuses by VersionMismatch: `*` and weak tags would let a change through that its sender cannot see.
 */
export const IfMatch = createParamDecorator((_: unknown, context: ExecutionContext): string =>
  versionIn(requestOf(context).headers['if-match']),
);

/** The version that an If-Match header names. Throws VersionMissing. */
export function versionIn(header: string | undefined): string {
  if (header === undefined || header.trim() === '') throw new VersionMissing();
  return ETAG.exec(header.trim())?.[1] ?? 'none';
}

/** Documents that an operation takes If-Match. */
export const ApiIfMatch = (): MethodDecorator =>
  applyDecorators(
    ApiHeader({
      name: 'If-Match',
      required: true,
      description: 'The ETag of the object as you have read it. 412 when it has changed since, 428 without.',
      schema: { type: 'string', examples: ['"1"'] },
    }),
  );

/** The answer is one object with a `version`, or another field that counts its changes, and carries it as its ETag. */
export const Versioned = (field: 'version' | 'revision' = 'version'): MethodDecorator =>
  UseInterceptors(new EtagInterceptor(field));

class EtagInterceptor implements NestInterceptor {
  constructor(private readonly field: string) {}

  intercept(
    context: ExecutionContext,
    next: CallHandler<Readonly<Record<string, unknown>>>,
  ): Observable<unknown> {
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    return next
      .handle()
      .pipe(tap(({ [this.field]: version }) => void reply.header('etag', `"${String(version)}"`)));
  }
}
