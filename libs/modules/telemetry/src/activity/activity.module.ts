import { UserActivity } from '@holdfast/ingest';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_INTERCEPTOR, HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { FieldsOfRequests, recordRequests } from './member-requests';

/** Lets every module inject UserActivity, and records the requests of members. What is recorded is the process's to drain. */
@Module({})
export class ActivityModule {
  static forRoot(activity: UserActivity): DynamicModule {
    return {
      module: ActivityModule,
      global: true,
      providers: [
        { provide: UserActivity, useValue: activity },
        { provide: APP_INTERCEPTOR, useClass: FieldsOfRequests },
      ],
      exports: [UserActivity],
    };
  }

  constructor({ httpAdapter }: HttpAdapterHost, activity: UserActivity) {
    recordRequests(httpAdapter.getInstance<FastifyInstance>(), activity);
  }
}
