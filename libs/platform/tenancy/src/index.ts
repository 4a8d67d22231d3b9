export { announcement, type Announcement, type EventType, eventType } from './announcement';
export { type Finding, formatFindings, runDoctor } from './doctor/doctor';
export { callerOf, type Grant, readGrant } from './grant';
export { Grants } from './grants';
export { benchRls, formatRlsFigures, type RlsBenchOptions } from './rls.bench';
export { TenantDatabase } from './tenant-database';
export { TenantTx } from './tenant-tx';
