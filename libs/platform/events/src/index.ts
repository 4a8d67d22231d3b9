export { type CloudEvent, cloudEventOf } from './cloud-event';
export { type ConsumerGroup, Consumers, type ConsumersOptions } from './consumers';
export { type RecordedEvent } from './recorded-event';
export { BatchRefused, type StoreGroup } from './store-delivery';
export { listStoresBehind } from './store-cursors.sql';
export { type TenantGroup } from './tenant-delivery';
export { Relay, type RelayOptions } from './relay';
export { type Report } from './report';
export { Sequencer, type SequencerOptions } from './sequencer';
