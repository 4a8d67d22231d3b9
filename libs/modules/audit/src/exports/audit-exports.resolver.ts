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
import { Args, ArgsType, InputType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { auditExportInput, auditExportView } from './audit-export-view';
import { AuditExportById, AuditExports } from './audit-exports.query';
import { RequestAuditExport } from './request-audit-export.command';

@ObjectType()
export class AuditExport extends dto(auditExportView, 'output') {}

@ObjectType()
export class AuditExportConnection extends connectionOf(AuditExport) {}

@ArgsType()
export class AuditExportArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@InputType()
export class RequestAuditExportInput extends dto(auditExportInput, 'input') {}

@Resolver(() => AuditExport)
export class AuditExportsResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => AuditExportConnection, {
    description: 'Exports of the trail, newest first. They are downloaded over REST.',
  })
  @Needs('audit:read')
  async auditExports(@CallerOf() caller: Caller, @Args() args: PageArgs): Promise<AuditExportConnection> {
    return toConnection(await this.queries.execute(new AuditExports(caller, pageInputOf(args))));
  }

  @Query(() => AuditExport, { description: 'An export of the trail and how far it is.' })
  @Needs('audit:read')
  auditExport(@CallerOf() caller: Caller, @Args() { id }: AuditExportArgs): Promise<AuditExport> {
    return this.queries.execute(new AuditExportById(caller, { id }));
  }

  @Mutation(() => AuditExport, { description: 'Exports the trail, or the sealed log as a bundle.' })
  @Needs('audit:read')
  requestAuditExport(
    @CallerOf() caller: Caller,
    @Args('input') input: RequestAuditExportInput,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<AuditExport> {
    return this.commands.execute(new RequestAuditExport(caller, input, idempotencyOf(idempotencyKey)));
  }
}
