export { findUnbound } from './bound-role';
export { type Breakage, BREAKAGES } from './breakages';
export { lineDifferences } from './line-differences';
export { freePort } from '@holdfast/embedded';
export { hasRedisServer, startRedis, stopRedis } from './redis-server';
export { type ClickHouseKind, TestClickHouse } from './test-clickhouse';
export { type ProxyMode, TcpProxy } from './tcp-proxy';
export { prepareTemplate, TestDatabase, type TestRole, type TestRoute, testRoutes } from './test-database';
export { TestIssuer } from './test-issuer';
