import { TenantDatabase } from '@holdfast/tenancy';
import { type DynamicModule, Module } from '@nestjs/common';
import { CommandBus, CqrsModule, QueryBus } from '@nestjs/cqrs';
import { IdempotentTransactions } from './idempotent-transactions';
import { Pipeline } from './pipeline';
import { Readings } from './readings';
import { Refusals } from './refusals';
import { Tallies } from './tallies';
import './answers-of-subjects.sql';

/** The buses, with the pipeline in front of every handler, and the tenant's database: global to the application. */
@Module({})
export class MessagesModule {
  constructor(commands: CommandBus, queries: QueryBus, pipeline: Pipeline) {
    lead(commands, pipeline);
    lead(queries, pipeline);
  }

  static forRoot(tenants: TenantDatabase): DynamicModule {
    return {
      module: MessagesModule,
      global: true,
      imports: [CqrsModule.forRoot()],
      providers: [
        { provide: TenantDatabase, useValue: tenants },
        Tallies,
        Refusals,
        Readings,
        IdempotentTransactions,
        Pipeline,
      ],
      exports: [CqrsModule, TenantDatabase, IdempotentTransactions, Readings],
    };
  }
}

/** Puts the pipeline before a bus. Nest constructs its buses itself and offers no interceptor, hence this assignment. */
function lead(
  bus: { execute: (message: never, context?: never) => Promise<unknown> },
  pipeline: Pipeline,
): void {
  const execute = bus.execute.bind(bus);
  bus.execute = (message, context) => pipeline.run(message, () => execute(message, context));
}
