import { type Caller, idSchema } from '@holdfast/kernel';
import {
  CallerOf,
  connectionOf,
  dto,
  Needs,
  PageArgs,
  pageInputOf,
  represent,
  toConnection,
} from '@holdfast/http';
import { QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, Field, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { AccountStatement } from './account-statement.query';
import {
  statementEdgeView,
  statementEntryView,
  statementHeadView,
  statementInput,
  statementTotalsView,
} from './statement';

@ObjectType()
export class StatementEdge extends dto(statementEdgeView, 'output') {}

represent(statementEdgeView, 'output', () => StatementEdge);

@ObjectType()
export class StatementTotals extends dto(statementTotalsView, 'output') {}

represent(statementTotalsView, 'output', () => StatementTotals);

@ObjectType()
export class StatementEntry extends dto(statementEntryView, 'output') {}

@ObjectType()
export class StatementEntryConnection extends connectionOf(StatementEntry) {}

@ObjectType()
export class Statement extends dto(statementHeadView, 'output') {
  @Field(() => StatementEntryConnection, { description: 'The page of entries, the first first.' })
  entries!: StatementEntryConnection;
}

@ArgsType()
export class StatementArgs extends dto(
  z.strictObject({
    accountId: idSchema,
    from: statementInput.shape.from.nullish(),
    to: statementInput.shape.to.nullish(),
    ...PageArgs.schema.shape,
  }),
  'args',
) {}

@Resolver(() => Statement)
export class StatementsResolver {
  constructor(private readonly queries: QueryBus) {}

  @Query(() => Statement, {
    description: 'The statement of an account: opening balance, entries, closing balance.',
  })
  @Needs('ledger:read')
  async accountStatement(
    @CallerOf() caller: Caller,
    @Args() { accountId, from, to, ...paging }: StatementArgs,
  ): Promise<Statement> {
    const input = { from: from ?? undefined, to: to ?? undefined, ...pageInputOf(paging), accountId };
    const { head, entries } = await this.queries.execute(new AccountStatement(caller, input));
    return { ...head, entries: toConnection(entries) };
  }
}
