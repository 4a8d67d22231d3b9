export { TENANT_TABLES } from './telemetry-schema.sql';
export { type ClickHouseEndpoint, type TelemetryStatement, TelemetryStore } from './telemetry-store';
export { TelemetryUnavailable } from './telemetry-unavailable';
