import type { Caller } from '@holdfast/kernel';
import { CallerOf, dto, idempotencyOf, Needs } from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, InputType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { AuditRetention as RetentionQuery } from './audit-retention.query';
import { ChangeAuditRetention } from './change-audit-retention.command';
import { auditRetentionView, changeAuditRetentionInput } from './retention-view';

@ObjectType()
export class AuditRetention extends dto(auditRetentionView, 'output') {}

@InputType()
export class ChangeAuditRetentionInput extends dto(changeAuditRetentionInput, 'input') {}

@Resolver(() => AuditRetention)
export class RetentionResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => AuditRetention, { description: 'How long events are kept.' })
  @Needs('audit:read')
  auditRetention(@CallerOf() caller: Caller): Promise<AuditRetention> {
    return this.queries.execute(new RetentionQuery(caller, {}));
  }

  @Mutation(() => AuditRetention, { description: 'Says how long events are kept.' })
  @Needs('audit:write')
  changeAuditRetention(
    @CallerOf() caller: Caller,
    @Args('input') input: ChangeAuditRetentionInput,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<AuditRetention> {
    return this.commands.execute(new ChangeAuditRetention(caller, input, idempotencyOf(idempotencyKey)));
  }
}
