export { ClickHouseConsumer } from './clickhouse-consumer';
export { TelemetryEvents } from './telemetry-events.query';
export { TelemetrySeries } from './telemetry-series.query';
export { type ClickHouseEndpoint, TelemetryStore } from './telemetry-store';
export { RangeInverted, RangeTooLong, TelemetryUnavailable } from './telemetry.errors';
export { TelemetryModule } from './telemetry.module';
