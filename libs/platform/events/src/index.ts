export { type CloudEvent, cloudEventOf } from './cloud-event';
export { type ConsumerGroup, Consumers, type ConsumersOptions } from './consumers';
export { EventsStopped } from './lineage-watch';
export { bumpEpoch, findLineage, ForeignPositions, type Lineage } from './lineage.sql';
export { type RecordedEvent } from './recorded-event';
export {
  Consumer,
  type ConsumerDeclaration,
  type ConsumerKey,
  declarationOf,
  type Retry,
  type StoreConsumer,
  type TenantConsumer,
} from './consumer';
export { OperatedGroups, type ReplayFrom, type ReplayStart } from './operated-groups';
export { type Acting, type ActingOnGroup, type GroupActionView, type GroupView } from './operator-groups.sql';
export { type ParkedKeysAsked, type ParkedKeyView, releaseParkedKey } from './quarantine.sql';
export { askTenantToRewind } from './tenant-cursors.sql';
export { BatchRefused } from './batch-refused';
export { listGroupNames } from './groups.sql';
export { listStoresBehind } from './store-cursors.sql';
export { Relay, type RelayOptions } from './relay';
export { type Report } from './report';
export { at, type Fault, injectFaults, type Step, STEPS, UnknownStep } from './steps';
export { Sequencer, type SequencerOptions } from './sequencer';
export { EventTooNew, upcast } from './upcast';
export { getNewestTick, type NewestTick } from './newest-tick.sql';
