export { CreateTenant, createTenantInput } from './create-tenant.command';
export { TenantDirectory } from './tenant-directory.query';
export { tenantView, type TenantView } from './tenant-view';
export { SlugTaken } from './tenants.errors';
export { tenantCreated } from './tenants.events';
export { TenantsModule } from './tenants.module';
export { usageGroup } from './usage/usage.listener';
