export { QUEUES_PATH, QueuesModule } from './queues/queues.module';
export { DeliveryModule } from './delivery.module';
export { EventTypeByName } from './event-types/event-type.query';
export { EventTypes } from './event-types/event-types.query';
export { FollowEvents } from './tail/follow-events.query';
export { tailInput } from './tail/tail-filter';
export {
  type ConsumerGroupView,
  showGroup,
  showGroupDetails,
  showParkedKey,
  showReplay,
} from './groups/group-view';
export { EventGroupsModule } from './groups/groups.module';
export {
  groupSchema,
  reasonSchema,
  ReleaseParkedKey,
  releaseParkedKeyInput,
} from './groups/release-parked-key.command';
export { replayFrom, replayFromSchema } from './groups/replay-from';
export { ReplayTenant } from './groups/replay-tenant.command';
