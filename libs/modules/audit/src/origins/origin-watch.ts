import { hasActed } from '@holdfast/cqrs';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { RequestOrigins } from './request-origins';

/** Longer ones are no browser's and no library's. */
const USER_AGENT_MAX = 200;

/** Looks at every request once it is answered: from where commands came. */
@Injectable()
export class OriginWatch implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly origins: RequestOrigins,
  ) {}

  onModuleInit(): void {
    // The command line has the modules and no server.
    const fastify = this.host.httpAdapter?.getInstance<FastifyInstance>();
    fastify?.addHook('onResponse', async ({ caller, method, routeOptions, ip, headers }, reply) => {
      // Where an operator sits is none of the tenant's business; that they acted is in the event.
      if (!caller || caller.act !== undefined || !hasActed(caller)) return;
      this.origins.record(caller, {
        route: `${method} ${routeOptions.url ?? 'unknown'}`,
        status: reply.statusCode,
        address: ip,
        userAgent: headers['user-agent']?.slice(0, USER_AGENT_MAX) ?? null,
      });
    });
  }
}
