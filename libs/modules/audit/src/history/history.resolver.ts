import type { Caller } from '@holdfast/kernel';
import { CallerOf, connectionOf, dto, Needs, PageArgs, pageInputOf, toConnection } from '@holdfast/http';
import { QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { AuditHistory, auditHistoryInput, auditVersionView } from './audit-history.query';

// Values of any kind have no type in GraphQL: a difference is an object of JSON there.
@ObjectType()
export class AuditVersion extends dto(
  auditVersionView.extend({ changes: z.array(z.record(z.string(), z.unknown())) }),
  'output',
) {}

@ObjectType()
export class AuditVersionConnection extends connectionOf(AuditVersion) {}

@ArgsType()
export class AuditHistoryArgs extends dto(
  PageArgs.schema.extend({ stream: auditHistoryInput.shape.stream }),
  'args',
) {}

@Resolver(() => AuditVersion)
export class HistoryResolver {
  constructor(private readonly queries: QueryBus) {}

  @Query(() => AuditVersionConnection, { description: 'The versions of an entity, the first one first.' })
  @Needs('audit:read')
  async auditHistory(
    @CallerOf() caller: Caller,
    @Args() args: AuditHistoryArgs,
  ): Promise<AuditVersionConnection> {
    const query = new AuditHistory(caller, { ...pageInputOf(args), stream: args.stream });
    return toConnection(await this.queries.execute(query)) as AuditVersionConnection;
  }
}
