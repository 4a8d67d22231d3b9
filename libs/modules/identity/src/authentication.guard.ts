import { requestOf } from '@holdfast/http';
import { callerOf, Grants } from '@holdfast/tenancy';
import {
  applyDecorators,
  type CanActivate,
  type ExecutionContext,
  Injectable,
  SetMetadata,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ApiSecurity } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { isApiKey } from './api-key';
import { Unauthenticated } from './identity.errors';
import { Operators } from './operators';

const AUDIENCE = 'holdfast:audience';

/** A route that is the operator's alone. */
export const OperatorOnly = (): ClassDecorator & MethodDecorator =>
  applyDecorators(SetMetadata(AUDIENCE, 'operator'), ApiSecurity('operator'));

/**
 * Admits a request by its credential, before anything else of the request is looked at. The tenant comes from the
 * credential and from nowhere else: no header, query or body can choose one.
 */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly grants: Grants,
    private readonly operators: Operators,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const audience = this.reflector.getAllAndOverride<string | undefined>(AUDIENCE, [
      context.getHandler(),
      context.getClass(),
    ]);
    const request = requestOf(context);
    const credential = bearerOf(request);
    if (audience === 'operator') this.admitOperator(request, credential);
    else await this.admitTenant(request, credential);
    return true;
  }

  private admitOperator(request: FastifyRequest, credential: string): void {
    const operator = this.operators.recognise(credential);
    if (operator === undefined) throw new Unauthenticated();
    request.operator = operator;
  }

  private async admitTenant(request: FastifyRequest, credential: string): Promise<void> {
    // A GraphQL request runs this guard once per root field.
    if (request.caller) return;
    const grant = isApiKey(credential) ? await this.grants.forKey(credential) : undefined;
    if (!grant) throw new Unauthenticated();
    request.caller = callerOf(grant, { requestId: request.id, traceparent: request.traceparent });
  }
}

function bearerOf(request: FastifyRequest): string {
  const [, credential] = /^Bearer ([\x21-\x7e]{1,8192})$/i.exec(request.headers.authorization ?? '') ?? [];
  if (!credential) throw new Unauthenticated();
  return credential;
}
