export { ClickHouseConsumer } from './clickhouse-consumer';
export { TelemetryEvents } from './telemetry-events.query';
export { TelemetrySeries } from './telemetry-series.query';
export { RangeInverted, RangeTooLong } from './telemetry.errors';
export { TelemetryModule } from './telemetry.module';
