export { KeyList, type KeyListOptions, type KeyState } from './key-list';
export { type KeyListContents, readKeyList, signKeyList, type SignedKeyList } from './key-list-text';
export {
  BatchRefusedBySink,
  type TelemetryBatch,
  type TelemetryRow,
  type TelemetrySink,
  type TelemetryTable,
} from './telemetry-sink';
export {
  DROP_REASONS,
  type DropReason,
  type Priority,
  type TrackedEvent,
  type TrackedKind,
} from './tracked-event';
export { fingerprintOf, type WriteKeyHolder, WriteKeySigner, WriteKeyVerifier } from './write-key';
