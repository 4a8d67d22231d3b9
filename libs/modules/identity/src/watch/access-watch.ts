import { addressKey } from '@holdfast/resilience';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { CredentialUses } from './credential-uses';

/** Looks at every request once it is answered: who used a credential, and from where. */
@Injectable()
export class AccessWatch implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly uses: CredentialUses,
  ) {}

  onModuleInit(): void {
    // The command line has the modules and no server.
    const fastify = this.host.httpAdapter?.getInstance<FastifyInstance>();
    fastify?.addHook('onResponse', async (request) => {
      if (request.caller) this.uses.record(request.caller, addressKey(request.ip));
    });
  }
}
