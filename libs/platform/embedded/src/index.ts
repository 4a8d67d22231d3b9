export { EmbeddedPostgres, type EmbeddedPostgresOptions } from './embedded-postgres';
export { freePort, PortTaken, requirePort } from './ports';
