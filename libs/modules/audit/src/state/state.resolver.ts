import type { Caller } from '@holdfast/kernel';
import { CallerOf, dto, Needs, represent } from '@holdfast/http';
import { QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { AuditState as AuditStateQuery, auditStateInput, auditStateView } from './audit-state.query';

@ObjectType()
export class AuditStateStream extends dto(auditStateView.shape.stream, 'output') {}

represent(auditStateView.shape.stream, 'output', () => AuditStateStream);

@ObjectType()
export class AuditState extends dto(auditStateView, 'output') {}

const { stream, at } = auditStateInput.shape;

// A GraphQL client may send null for what it leaves out.
@ArgsType()
export class AuditStateArgs extends dto(auditStateInput.extend({ stream, at: at.nullable() }), 'args') {}

@Resolver(() => AuditState)
export class StateResolver {
  constructor(private readonly queries: QueryBus) {}

  @Query(() => AuditState, { description: 'What an aggregate was at an instant, folded from its events.' })
  @Needs('audit:read')
  auditState(@CallerOf() caller: Caller, @Args() args: AuditStateArgs): Promise<AuditState> {
    return this.queries.execute(
      new AuditStateQuery(caller, { stream: args.stream, at: args.at ?? undefined }),
    );
  }
}
