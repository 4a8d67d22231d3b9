export { announcement, type Announcement } from './announcement';
export type { Finding } from './doctor/catalogue-check';
export { type Diagnosis, formatDiagnosis, formatFindings, holesIn } from './doctor/diagnosis';
export { type DoctorOptions, runDoctor } from './doctor/doctor';
export type { Exemption } from './doctor/exemptions';
export { ISOLATION_RULES, type IsolationRule } from './doctor/rules';
export {
  earlierVersion,
  type EarlierVersion,
  type EventType,
  eventType,
  type EventTypeDeclaration,
  type EventVersion,
  findEventType,
  latestVersionOf,
  listEventTypes,
  upcastPayload,
} from './event-types';
export { callerOf, type Grant, readGrant } from './grant';
export { type GrantPurpose, Grants, type KeyOwner } from './grants';
export { FeatureNotInPlan, QuotaExceeded, requireFeature, requireQuota } from './plan-limits';
export { benchRls, formatRlsFigures, type RlsBenchOptions } from './rls.bench';
export { settingsOf } from './settings.sql';
export { TenantClosed, TenantSuspended } from './tenancy.errors';
export { TenantDatabase } from './tenant-database';
export { TenantTx } from './tenant-tx';
