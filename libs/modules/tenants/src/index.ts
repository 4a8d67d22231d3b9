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
export { ExportContents, ExportFile } from './exports/export-contents.query';
export { digestOf } from './exports/export-manifest';
export { ExportTask } from './exports/export-task';
export { type ExportManifest, exportManifestView, type ExportView } from './exports/export-view';
export { ExportById } from './exports/exports.query';
export { RequestExport } from './exports/request-export.command';
export { type TaskKindOfWork, TaskRunner, type TaskRunnerOptions } from './tasks/task-runner';
export { ErasureReceipts } from './erasure/erasure-receipts.query';
export { ErasureTask, type ErasableStore, type ErasureBlocker } from './erasure/erasure-task';
export { OrderErasure, orderErasureInput } from './erasure/order-erasure.command';
export { ReceiptSigner } from './erasure/receipt-signer';
