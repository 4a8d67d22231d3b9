export { QUEUES_PATH, QueuesModule } from './queues/queues.module';
export { DeliveryModule } from './delivery.module';
export { EventTypeByName } from './event-types/event-type.query';
export { EventTypes } from './event-types/event-types.query';
export { FollowEvents } from './tail/follow-events.query';
export { tailInput } from './tail/tail-filter';
