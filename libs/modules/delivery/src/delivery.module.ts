import { Module } from '@nestjs/common';
import { EventTypeByNameHandler } from './event-types/event-type.query';
import { EventTypesController } from './event-types/event-types.controller';
import { EventTypesHandler } from './event-types/event-types.query';
import { EventTypesResolver } from './event-types/event-types.resolver';
import { FollowEventsHandler } from './tail/follow-events.query';
import { TailStreams } from './tail/tail-streams';
import { TailController } from './tail/tail.controller';
import { TailResolver } from './tail/tail.resolver';
import { TickWatch } from './tail/tick-watch';
import './delivery.aggregates';

/** What those outside see of the event log: its types, and the events as they come. */
@Module({
  controllers: [EventTypesController, TailController],
  providers: [
    EventTypesHandler,
    EventTypeByNameHandler,
    EventTypesResolver,
    TickWatch,
    TailStreams,
    FollowEventsHandler,
    TailResolver,
  ],
})
export class DeliveryModule {}
