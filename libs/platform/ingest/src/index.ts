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
