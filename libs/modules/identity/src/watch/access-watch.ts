import type { Refusal } from '@holdfast/http';
import { addressKey } from '@holdfast/limits';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isApiKey } from '../api-key';
import { AccessRefusals } from './access-refusals';
import { CredentialUses } from './credential-uses';

/** Looks at every request once it is answered: who used a credential and from where, and what was refused to whom. */
@Injectable()
export class AccessWatch implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly uses: CredentialUses,
    private readonly refusals: AccessRefusals,
  ) {}

  onModuleInit(): void {
    // The command line has the modules and no server.
    const fastify = this.host.httpAdapter?.getInstance<FastifyInstance>();
    fastify?.addHook('onResponse', async (request) => {
      if (request.caller) this.uses.record(request.caller, addressKey(request.ip));
      for (const [code, status] of accessCodes(request)) this.noteRefusal(request, code, status);
    });
  }

  private noteRefusal(request: FastifyRequest, code: string, status: number): void {
    const { caller, operator, method, routeOptions } = request;
    const route = `${method} ${routeOptions.url ?? 'unknown'}`;
    if (operator !== undefined) return;
    if (caller) {
      const { tenantId, actor, act } = caller;
      return this.refusals.record({ tenantId, actor, act }, code, route);
    }
    const [, key = ''] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
    // Too many requests of an address are nobody's in particular.
    if (status !== 429 && isApiKey(key)) this.refusals.recordKey(key, code, route);
  }
}

/**
 * Of a request's refusals those of access, each once: a GraphQL document may be refused the same thing thirty times. What a
 * caller who is known may not do is refused by the bus, which records it.
 */
function accessCodes({ refusals = [], caller }: FastifyRequest): Map<string, number> {
  const isOfAccess = ({ status }: Refusal): boolean =>
    status === 401 || status === 429 || (status === 403 && !caller);
  const ofAccess = refusals.filter(isOfAccess);
  return new Map(ofAccess.map(({ code, status }) => [code, status]));
}
