import { type Caller, idSchema } from '@holdfast/kernel';
import {
  CallerOf,
  connectionOf,
  dto,
  idempotencyOf,
  Needs,
  PageArgs,
  pageInputOf,
  represent,
  toConnection,
} from '@holdfast/http';
import type { Steering } from '@holdfast/sagas';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, Mutation, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { sagaDetailView, sagaHappeningView, sagaStepView, sagaView } from './saga-view';
import { SagaById, Sagas, sagasInput } from './sagas.query';
import { SteerSaga } from './steer-saga.command';

@ObjectType('Saga')
export class SagaObject extends dto(sagaView, 'output') {}

@ObjectType('SagaStep')
export class SagaStepObject extends dto(sagaStepView, 'output') {}
represent(sagaStepView, 'output', () => SagaStepObject);

@ObjectType('SagaHappening')
export class SagaHappeningObject extends dto(sagaHappeningView, 'output') {}
represent(sagaHappeningView, 'output', () => SagaHappeningObject);

@ObjectType('SagaDetail')
export class SagaDetailObject extends dto(sagaDetailView, 'output') {}

@ObjectType()
export class SagaConnection extends connectionOf(SagaObject) {}

const { state, definition } = sagasInput.shape;

// A GraphQL client may send null for what it leaves out.
@ArgsType()
export class SagasArgs extends dto(
  PageArgs.schema.extend({
    state: state.nullable(),
    definition: definition.nullable(),
    stuck: z.boolean().nullish(),
  }),
  'args',
) {}

@ArgsType()
export class SagaArgs extends dto(z.strictObject({ id: idSchema }), 'args') {}

@ArgsType()
export class SteerSagaArgs extends dto(
  z.strictObject({ id: idSchema, idempotencyKey: z.string() }),
  'args',
) {}

@Resolver(() => SagaObject)
export class SagasResolver {
  constructor(
    private readonly commands: CommandBus,
    private readonly queries: QueryBus,
  ) {}

  @Query(() => SagaConnection, { description: 'Sagas, newest first.' })
  @Needs('sagas:read')
  async sagas(@CallerOf() caller: Caller, @Args() args: SagasArgs): Promise<SagaConnection> {
    const filters = {
      state: args.state ?? undefined,
      definition: args.definition ?? undefined,
      stuck: isStuckText(args.stuck),
    };
    return toConnection(await this.queries.execute(new Sagas(caller, { ...pageInputOf(args), ...filters })));
  }

  @Query(() => SagaDetailObject, { description: 'One saga, with its steps and what has happened to it.' })
  @Needs('sagas:read')
  saga(@CallerOf() caller: Caller, @Args() { id }: SagaArgs): Promise<SagaDetailObject> {
    return this.queries.execute(new SagaById(caller, { id }));
  }

  @Mutation(() => SagaObject, { description: 'Has a saga that waits for an operator go on.' })
  @Needs('sagas:write')
  retrySaga(@CallerOf() caller: Caller, @Args() args: SteerSagaArgs): Promise<SagaObject> {
    return this.steer(caller, args, 'retry');
  }

  @Mutation(() => SagaObject, { description: 'Gives up a saga that stands still.' })
  @Needs('sagas:write')
  compensateSaga(@CallerOf() caller: Caller, @Args() args: SteerSagaArgs): Promise<SagaObject> {
    return this.steer(caller, args, 'compensate');
  }

  @Mutation(() => SagaObject, { description: 'Gives a saga up before its next step.' })
  @Needs('sagas:write')
  cancelSaga(@CallerOf() caller: Caller, @Args() args: SteerSagaArgs): Promise<SagaObject> {
    return this.steer(caller, args, 'cancel');
  }

  private steer(
    caller: Caller,
    { id, idempotencyKey }: SteerSagaArgs,
    steering: Steering,
  ): Promise<SagaObject> {
    return this.commands.execute(new SteerSaga(caller, { id, steering }, idempotencyOf(idempotencyKey)));
  }
}

/** As the query string of REST says it. */
function isStuckText(stuck: boolean | null | undefined): 'true' | 'false' | undefined {
  if (stuck === null || stuck === undefined) return undefined;
  return stuck ? 'true' : 'false';
}
