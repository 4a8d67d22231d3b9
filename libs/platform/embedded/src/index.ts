export { ChdbUnavailable, type ClickHouseConnection, openChdb } from './chdb';
export { ClickHouseFront, type ClickHouseFrontOptions } from './clickhouse-front';
export { EmbeddedPostgres, type EmbeddedPostgresOptions } from './embedded-postgres';
export { freePort, PortTaken, requirePort } from './ports';
export { stopLeftover } from './postgres-leftover';
