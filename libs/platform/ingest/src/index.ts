export { Accounting, type Amount, type CountChange, type Counts, droppedOf } from './accounting';
export { type Acceptance, Intake, type IntakeOptions } from './intake';
export { KeyList, type KeyListOptions, type KeyState } from './key-list';
export { type KeyListContents, readKeyList, signKeyList, type SignedKeyList } from './key-list-text';
export { chunksOf } from './packed-run';
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
export { type ActivityDestination, activityKeyId, UserActivity } from './user-activity';
export { fingerprintOf, type WriteKeyHolder, WriteKeySigner, WriteKeyVerifier } from './write-key';
export { BODY_BYTES_MAX, type Body, readBody, tooLarge } from './protocols/body';
export { readOtlpLogs } from './protocols/otlp';
export { posthogKeyOf, readPosthog } from './protocols/posthog';
export { type Reading, type Reject, RequestRefused } from './protocols/reading';
export { readSegment, SEGMENT_CALLS, type SegmentCall, segmentKeyOf } from './protocols/segment';
