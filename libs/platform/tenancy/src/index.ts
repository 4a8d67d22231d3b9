export { announcement, type Announcement, declaredEventTypes, type EventType, eventType } from './announcement';
export { callerOf, type Grant, readGrant } from './grant';
export { Grants } from './grants';
export { TenantDatabase } from './tenant-database';
export { TenantTx } from './tenant-tx';
