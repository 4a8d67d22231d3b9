export { ChangePlan, changePlanInput } from './change-plan.command';
export { CreateTenant, createTenantInput } from './create-tenant.command';
export { ResumeTenant } from './resume-tenant.command';
export { SuspendTenant, suspendTenantInput } from './suspend-tenant.command';
export { TenantDirectory } from './tenant-directory.query';
export { listedTenantView, type ListedTenantView, tenantView, type TenantView } from './tenant-view';
export { SlugTaken, WrongState } from './tenants.errors';
export {
  tenantChanged,
  tenantCreated,
  tenantPlanChanged,
  tenantResumed,
  tenantSuspended,
} from './tenants.events';
export { TenantsModule } from './tenants.module';
export { usageGroup } from './usage/usage.listener';
