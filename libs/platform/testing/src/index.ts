export { type ClickHouseKind, TestClickHouse } from './test-clickhouse';
export { TestDatabase, type TestRole } from './test-database';
