import { type Caller } from '@holdfast/kernel';
import { CallerOf, dto, idempotencyOf, Needs } from '@holdfast/http';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, InputType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { ClosePeriod, ReopenPeriod } from './close-period.command';
import { closePeriodInput, periodView, reopenPeriodInput } from './period';
import { Period } from './period.query';

@ObjectType('Period')
export class PeriodObject extends dto(periodView, 'output') {}

@InputType('ClosePeriodInput')
export class ClosePeriodArgs extends dto(closePeriodInput, 'input') {}

@InputType('ReopenPeriodInput')
export class ReopenPeriodArgs extends dto(reopenPeriodInput, 'input') {}

@Resolver(() => PeriodObject)
export class PeriodsResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => PeriodObject, { description: 'Up to which day the books are closed.' })
  @Needs('ledger:read')
  period(@CallerOf() caller: Caller): Promise<PeriodObject> {
    return this.queries.execute(new Period(caller, {}));
  }

  @Mutation(() => PeriodObject, { description: 'Closes all days through one for what is dated back.' })
  @Needs('ledger:close')
  closePeriod(
    @CallerOf() caller: Caller,
    @Args('input') input: ClosePeriodArgs,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<PeriodObject> {
    return this.commands.execute(new ClosePeriod(caller, input, idempotencyOf(idempotencyKey)));
  }

  @Mutation(() => PeriodObject, { description: 'Opens the days behind one again, or all of them.' })
  @Needs('ledger:close')
  reopenPeriod(
    @CallerOf() caller: Caller,
    @Args('input') input: ReopenPeriodArgs,
    @Args('idempotencyKey') idempotencyKey: string,
  ): Promise<PeriodObject> {
    return this.commands.execute(new ReopenPeriod(caller, input, idempotencyOf(idempotencyKey)));
  }
}
