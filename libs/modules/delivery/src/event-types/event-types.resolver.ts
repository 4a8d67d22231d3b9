import type { Caller } from '@holdfast/kernel';
import { CallerOf, dto, Needs, represent } from '@holdfast/http';
import { QueryBus } from '@nestjs/cqrs';
import { Args, ArgsType, ObjectType, Query, Resolver } from '@nestjs/graphql';
import { z } from 'zod';
import { eventTypeView, eventVersionView } from './event-type-view';
import { EventTypeByName } from './event-type.query';
import { EventTypes, eventTypesInput } from './event-types.query';

@ObjectType()
export class EventVersion extends dto(eventVersionView, 'output') {}

represent(eventVersionView, 'output', () => EventVersion);

@ObjectType()
export class EventType extends dto(eventTypeView, 'output') {}

// A GraphQL client may send null for what it leaves out.
@ArgsType()
export class EventTypesArgs extends dto(
  z.strictObject({ prefix: eventTypesInput.shape.prefix.nullable() }),
  'args',
) {}

@ArgsType()
export class EventTypeArgs extends dto(z.strictObject({ type: z.string().max(200) }), 'args') {}

@Resolver(() => EventType)
export class EventTypesResolver {
  constructor(private readonly queries: QueryBus) {}

  @Query(() => [EventType], { description: 'Every type of event, with JSON Schema and examples.' })
  @Needs('events:read')
  eventTypes(@CallerOf() caller: Caller, @Args() { prefix }: EventTypesArgs): Promise<readonly EventType[]> {
    return this.queries.execute(new EventTypes(caller, prefix == null ? {} : { prefix }));
  }

  @Query(() => EventType, { description: 'One type of events.' })
  @Needs('events:read')
  eventType(@CallerOf() caller: Caller, @Args() { type }: EventTypeArgs): Promise<EventType> {
    return this.queries.execute(new EventTypeByName(caller, { type }));
  }
}
