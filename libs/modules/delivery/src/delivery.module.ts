import { Module } from '@nestjs/common';
import { EventTypeByNameHandler } from './event-types/event-type.query';
import { EventTypesController } from './event-types/event-types.controller';
import { EventTypesHandler } from './event-types/event-types.query';
import { EventTypesResolver } from './event-types/event-types.resolver';

/** What those outside see of the event log: its types. */
@Module({
  controllers: [EventTypesController],
  providers: [EventTypesHandler, EventTypeByNameHandler, EventTypesResolver],
})
export class DeliveryModule {}
