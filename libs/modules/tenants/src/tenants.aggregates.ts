import { statement } from '@holdfast/database';
import { aggregate, type AggregateRow } from '@holdfast/tenancy';
import { exportCompleted, exportExpired, exportFailed, exportRequested } from './exports/exports.events';
import { tenantChanged, tenantCreated, tenantErasureRequested, tenantImported } from './tenants.events';
import { tenantPlanChanged, tenantResumed, tenantSuspended } from './tenants.events';

interface Tenant {
  readonly slug: string;
  readonly state: 'active' | 'suspended' | 'closing';
  /** There once somebody has chosen one. */
  readonly plan: string;
  /** What was decided about settings; not there where an import has brought others. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly eraseAfter: string | null;
  readonly importSha256: string | null;
}

aggregate<Tenant>('tenants.tenant', {
  isTenantItself: true,
  rows: statement<AggregateRow<Tenant>>(
    'tenants.list_folded_tenants',
    `select t.tenant_id as id, t.version as "streamVersion", t.slug, o.state, o.plan, t.settings,
       t.erase_after as "eraseAfter", t.import_sha256 as "importSha256"
     from tenants.tenants t
     cross join auth.own_tenant() o
     where t.tenant_id = $1 and t.tenant_id > $2
     order by t.tenant_id
     limit $3`,
  ),
  on: (on) => [
    on(tenantCreated, ({ slug }) => ({
      slug,
      state: 'active',
      settings: {},
      eraseAfter: null,
      importSha256: null,
    })),
    on(tenantSuspended, () => ({ state: 'suspended' })),
    on(tenantResumed, () => ({ state: 'active', eraseAfter: null })),
    on(tenantPlanChanged, ({ plan }) => ({ plan })),
    on(tenantChanged, ({ settings }, { state }) => ({ settings: { ...state.settings, ...settings } })),
    on(tenantErasureRequested, ({ dueAt }) => ({ state: 'closing', eraseAfter: dueAt })),
    on(tenantImported, ({ sha256 }) => ({ importSha256: sha256, settings: {} })),
  ],
});

interface Export {
  readonly status: 'requested' | 'completed' | 'failed' | 'expired';
  readonly sha256: string | null;
}

aggregate<Export>('tenants.export', {
  rows: statement<AggregateRow<Export>>(
    'tenants.list_folded_exports',
    `select id, case status when 'queued' then 1 when 'running' then 1 when 'expired' then 3 else 2 end::bigint as "streamVersion",
       case when status in ('queued', 'running') then 'requested' else status end as status
     from tenants.exports
     where tenant_id = $1 and id > $2
     order by id
     limit $3`,
  ),
  on: (on) => [
    on(exportRequested, () => ({ status: 'requested', sha256: null })),
    on(exportCompleted, ({ sha256 }) => ({ status: 'completed', sha256 })),
    on(exportFailed, () => ({ status: 'failed' })),
    on(exportExpired, () => ({ status: 'expired' })),
  ],
});
