import { type Caller, idSchema } from '@holdfast/kernel';
import {
  CallerOf,
  connectionOf,
  dto,
  idempotencyOf,
  Needs,
  PageArgs,
  pageInputOf,
  toConnection,
} from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { exportView } from './export-view';
import { ExportById, Exports } from './exports.query';
import { RequestExport } from './request-export.command';

@ObjectType()
export class Export extends dto(exportView, 'output') {}

@ObjectType()
export class ExportConnection extends connectionOf(Export) {}

@ArgsType()
export class ExportArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@Resolver(() => Export)
export class ExportsResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => ExportConnection, {
    description: 'Exports, newest first. Their files are downloaded over REST.',
  })
  @Needs('exports:read')
  async exports(@CallerOf() caller: Caller, @Args() args: PageArgs): Promise<ExportConnection> {
    return toConnection(await this.queries.execute(new Exports(caller, pageInputOf(args))));
  }

  @Query(() => Export, { description: 'An export and how far it is.' })
  @Needs('exports:read')
  export(@CallerOf() caller: Caller, @Args() { id }: ExportArgs): Promise<Export> {
    return this.queries.execute(new ExportById(caller, { id }));
  }

  @Mutation(() => Export, { description: 'Exports everything that the tenant has.' })
  @Needs('exports:write')
  requestExport(@CallerOf() caller: Caller, @Args('idempotencyKey') idempotencyKey: string): Promise<Export> {
    return this.commands.execute(new RequestExport(caller, {}, idempotencyOf(idempotencyKey)));
  }
}
