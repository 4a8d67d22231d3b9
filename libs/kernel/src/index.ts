export { type Caller, holds } from './caller';
export { type CommittedEvent, CommittedEvents } from './committed-events';
export {
  BUILT_IN_ROLES,
  type BuiltInRole,
  type Permission,
  PERMISSION_NAMES,
  PERMISSIONS,
  type Scope,
  scopesOfRole,
  SETTLE,
} from './permissions';
export { type Feature, type Plan, PLAN_NAMES, type PlanName, planOf, PLANS, type Quotas } from './plans';
export { type TenantSettings, tenantSettings, tenantSettingsChange } from './settings';
export { Deadline, DeadlinePassed, JOB_TRANSACTION_MS } from './deadline';
export { DomainError, type ErrorKind, Forbidden, NotFound, Conflict } from './domain-error';
export { InvalidInput, type InputFault, VersionMismatch } from './domain-error';
export type { Principal } from './principal';
export { deterministicId, idSchema, newId } from './ids';
export { instantSchema } from './instants';
export { amountSchema, assetSchema } from './money';
export { encodeJson } from './json';
export { fullJitterMs } from './backoff';
export { type BucketShape, takeTokens, type Taking } from './token-bucket';
export { streamNameSchema } from './stream-name';
