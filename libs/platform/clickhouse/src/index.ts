export { ClickHouseSink } from './clickhouse-sink';
export { RollUps, type RollUpsOptions } from './roll-ups';
export { type ClickHouseEndpoint } from './telemetry-client';
export { QueryTooLarge } from './query-too-large';
export { TENANT_TABLES } from './telemetry-schema.sql';
export { type TelemetryStatement, TelemetryStore } from './telemetry-store';
export { TelemetryUnavailable } from './telemetry-unavailable';
export { TooManyReads } from './tenant-reads';
