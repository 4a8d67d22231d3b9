import { type DynamicModule, Module } from '@nestjs/common';
import { APP_GUARD, HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import { limitRequests } from './limit-requests';
import { Limits } from './limits';
import { LimitsGuard } from './limits.guard';

/** Limits for every route. Imported behind the module that authenticates: guards run in the order of the imports. */
@Module({})
export class LimitsModule {
  static forRoot(limits: Limits): DynamicModule {
    return {
      module: LimitsModule,
      providers: [
        { provide: Limits, useValue: limits },
        { provide: APP_GUARD, useClass: LimitsGuard },
      ],
    };
  }

  constructor({ httpAdapter }: HttpAdapterHost<FastifyAdapter>, limits: Limits) {
    limitRequests(httpAdapter.getInstance(), limits);
  }
}
