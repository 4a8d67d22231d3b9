import { type Caller, type Principal, SETTLE } from '@holdfast/kernel';
import { isOpenWhileSuspended, isPublic, originOf, requestOf } from '@holdfast/http';
import { callerOf, type Grant, type GrantPurpose, Grants, TenantSuspended } from '@holdfast/tenancy';
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
import { PrincipalGrants, requireSameTenant } from './tokens/principal-grants';
import { TokenVerifier } from './tokens/token-verifier';

const AUDIENCE = 'holdfast:audience';

/** A route that is the operator's alone. */
export const OperatorOnly = (): ClassDecorator & MethodDecorator =>
  applyDecorators(SetMetadata(AUDIENCE, 'operator'), ApiSecurity('operator'));

/** A route for whoever bears a JWT of a trusted issuer, with or without a tenant. */
export const PrincipalOnly = (): ClassDecorator & MethodDecorator =>
  applyDecorators(SetMetadata(AUDIENCE, 'principal'), ApiSecurity('principal'));

/**
 * Admits a request by its credential, before anything else of the request is looked at. The tenant comes from the
 * credential: a header can choose among the memberships of a person, and nothing else in a request can.
 */
@Injectable()
export class AuthenticationGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly grants: Grants,
    private readonly operators: Operators,
    private readonly tokens: TokenVerifier,
    private readonly principals: PrincipalGrants,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const audience = this.reflector.getAllAndOverride<string | undefined>(AUDIENCE, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (isPublic(this.reflector, context)) return true;
    const request = requestOf(context);
    const credential = bearerOf(request);
    if (audience === 'operator') this.admitOperator(request, credential);
    else if (audience === 'principal')
      request.principal = await inTime(request, this.principalOf(credential));
    else await this.admitTenant(request, credential, isOpenWhileSuspended(this.reflector, context));
    return true;
  }

  private admitOperator(request: FastifyRequest, credential: string): void {
    const operator = this.operators.recognise(credential);
    if (operator === undefined) throw new Unauthenticated();
    request.operator = operator;
  }

  private async admitTenant(request: FastifyRequest, credential: string, isOpen: boolean): Promise<void> {
    // A GraphQL request runs this guard once per root field. One that was admitted to end a hold is to nothing else.
    if (request.caller && !request.caller.scopes.includes(SETTLE)) return;
    request.readmit = () => this.callerBy(credential, request);
    try {
      request.caller = { ...(await inTime(request, request.readmit())), deadline: request.deadline };
    } catch (error) {
      if (!isOpen || !(error instanceof TenantSuspended)) throw error;
      const settling = await inTime(request, this.callerBy(credential, request, 'settling'));
      request.caller = { ...settling, deadline: request.deadline };
    }
  }

  private async callerBy(
    credential: string,
    request: FastifyRequest,
    purpose?: GrantPurpose,
  ): Promise<Caller> {
    const chosen = tenantChosenBy(request);
    const origin = originOf(request);
    const grant = isApiKey(credential)
      ? await this.grantOfKey(credential, chosen, purpose)
      : await this.principals.grantFor(await this.principalOf(credential), chosen, origin, purpose);
    return callerOf(grant, origin);
  }

  private async grantOfKey(key: string, chosen: string | undefined, purpose?: GrantPurpose): Promise<Grant> {
    const grant = await this.grants.forKey(key, purpose);
    if (!grant) throw new Unauthenticated();
    requireSameTenant(grant.tenantId, chosen);
    return grant;
  }

  private async principalOf(token: string): Promise<Principal> {
    const principal = await this.tokens.verify(token);
    if (principal) return principal;
    // It is no key; looking for it takes the time that an unknown key takes, so that a refusal's time says nothing.
    await this.grants.forKey(token);
    throw new Unauthenticated();
  }
}

/** Who calls is found out in the time of the request: an issuer may be slow, and those who wait for the same answer wait on. */
function inTime<T>({ deadline }: FastifyRequest, admission: Promise<T>): Promise<T> {
  return deadline?.within(admission) ?? admission;
}

/** The tenant that the request asks for. Twice in a request, it is a text that no tenant has. */
function tenantChosenBy({ headers }: FastifyRequest): string | undefined {
  return headers['holdfast-tenant']?.toString();
}

function bearerOf(request: FastifyRequest): string {
  const [, credential] = /^Bearer ([\x21-\x7e]{1,8192})$/i.exec(request.headers.authorization ?? '') ?? [];
  if (!credential) throw new Unauthenticated();
  return credential;
}
