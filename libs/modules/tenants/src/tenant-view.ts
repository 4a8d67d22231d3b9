import { idSchema, planOf, type Quotas, tenantSettings } from '@holdfast/kernel';
import { z } from 'zod';
import { TENANT_STATES, type TenantState } from './tenant-state';

const quota = z.int();

/** How much a plan allows. */
export const quotasView = z.object({
  requestsPerSecond: quota,
  requestsBurst: quota,
  concurrentRequests: quota,
  members: quota,
  apiKeys: quota,
  customRoles: quota,
  issuers: quota,
  exportsPerDay: quota,
  webhooks: quota,
  concurrentDeliveries: quota,
  writeKeys: quota,
  eventsPerSecond: quota,
  eventsBurst: quota,
} satisfies Record<keyof Quotas, z.ZodType>);

/** A plan with what it includes. */
export const planView = z.object({
  name: z.string(),
  features: z.array(z.string()),
  quotas: quotasView,
  telemetryKeepDays: z.int().meta({ description: 'How long telemetry events are kept, in days.' }),
});

const version = z.string().meta({ description: 'A whole number; also the ETag.' });

/** A tenant as it sees itself. */
export const tenantView = z.object({
  id: idSchema,
  slug: z.string(),
  name: z.string(),
  state: z.enum(TENANT_STATES),
  plan: planView,
  settings: tenantSettings,
  version,
  createdAt: z.iso.datetime(),
});

/** A tenant as it sees itself. */
export type TenantView = z.output<typeof tenantView>;

/** A tenant as the operator sees it. Of one that is gone, its id and state are left. */
export const listedTenantView = z.object({
  id: idSchema,
  slug: z.string().nullable(),
  name: z.string().nullable(),
  state: z.enum(TENANT_STATES),
  reason: z.string().nullable().meta({ description: 'Why the operator last changed the state.' }),
  plan: z.string(),
  version: version.nullable(),
  createdAt: z.iso.datetime().nullable(),
  erasure: z
    .object({
      requestedAt: z.iso.datetime(),
      dueAt: z.iso.datetime(),
      postponed: z.string().nullable().meta({ description: 'Why it has been put off.' }),
    })
    .nullable(),
});

/** A tenant as the operator sees it. */
export type ListedTenantView = z.output<typeof listedTenantView>;

/** A row of tenants.tenants with state and plan, which stand elsewhere. */
export interface TenantRow {
  readonly tenant_id: string;
  readonly slug: string;
  readonly name: string;
  readonly state: TenantState;
  readonly plan: string;
  readonly version: bigint;
  readonly settings: unknown;
  readonly state_reason: string | null;
  readonly created_at: Date;
  readonly erase_requested_at: Date | null;
  readonly erase_after: Date | null;
  readonly erase_postponed: string | null;
}

type Remaining = 'tenant_id' | 'state' | 'plan';

/** Such a row, of which a tenant that is gone leaves its id, state and plan. */
export type ListedTenantRow = Pick<TenantRow, Remaining> & {
  readonly [Column in Exclude<keyof TenantRow, Remaining | 'settings'>]: TenantRow[Column] | null;
};

/** Shows a row to its tenant. */
export function showTenant(row: TenantRow): TenantView {
  const { features, quotas, telemetryKeepDays } = planOf(row.plan);
  return {
    id: row.tenant_id,
    slug: row.slug,
    name: row.name,
    state: row.state,
    plan: { name: row.plan, features: [...features], quotas, telemetryKeepDays },
    settings: tenantSettings.parse(row.settings),
    version: row.version.toString(),
    createdAt: row.created_at.toISOString(),
  };
}

/** Shows a row to the operator. */
export function showListedTenant(row: ListedTenantRow): ListedTenantView {
  return {
    id: row.tenant_id,
    slug: row.slug,
    name: row.name,
    state: row.state,
    reason: row.state_reason,
    plan: row.plan,
    version: row.version?.toString() ?? null,
    createdAt: row.created_at?.toISOString() ?? null,
    erasure:
      row.erase_requested_at && row.erase_after
        ? {
            requestedAt: row.erase_requested_at.toISOString(),
            dueAt: row.erase_after.toISOString(),
            postponed: row.erase_postponed,
          }
        : null,
  };
}
