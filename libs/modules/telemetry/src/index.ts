export { ClickHouseConsumer } from './clickhouse-consumer';
export { TelemetryEvents } from './telemetry-events.query';
export { TelemetrySeries } from './telemetry-series.query';
export { RangeInverted, RangeTooLong } from './telemetry.errors';
export { TelemetryModule } from './telemetry.module';
export { CreateWriteKey, createWriteKeyInput } from './write-keys/create-write-key.command';
export { RevokeWriteKey } from './write-keys/revoke-write-key.command';
export { WriteKeysModule, type WriteKeysOptions } from './write-keys/write-keys.module';
export { WriteKeys } from './write-keys/write-keys.query';
