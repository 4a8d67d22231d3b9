import { planOf, type Quotas } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import type { Statement } from '@holdfast/database';
import { COUNT_ISSUERS, COUNT_MEMBERS, COUNT_ROLES, COUNT_USABLE_API_KEYS } from '@holdfast/identity';
import { COUNT_WRITE_KEYS } from '@holdfast/telemetry';
import { TenantDatabase } from '@holdfast/tenancy';
import { COUNT_WEBHOOKS } from '@holdfast/webhooks';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { COUNT_EXPORTS_OF_A_DAY } from './exports/exports.sql';
import { tenantUsageView } from './tenant-usage.query';

/** A quota of the plan that counts something, and how much of it is used. */
export const quotaUseView = z.object({ quota: z.string(), limit: z.int(), used: z.int() });

/** What GET /v1/usage shows. */
export const usageView = tenantUsageView.extend({ quotas: z.array(quotaUseView) });

/** Of these nothing is there to be counted: they are rates, and what may be under way at a time. */
type Passing =
  'requestsPerSecond' | 'requestsBurst' | 'eventsPerSecond' | 'eventsBurst' | `concurrent${string}`;

/** All other quotas, and the statements that a refusal counts by as well. */
const COUNTED: Readonly<Record<Exclude<keyof Quotas, Passing>, Statement<{ readonly count: bigint }>>> = {
  members: COUNT_MEMBERS,
  apiKeys: COUNT_USABLE_API_KEYS,
  customRoles: COUNT_ROLES,
  issuers: COUNT_ISSUERS,
  exportsPerDay: COUNT_EXPORTS_OF_A_DAY,
  webhooks: COUNT_WEBHOOKS,
  writeKeys: COUNT_WRITE_KEYS,
};
const COUNTED_QUOTAS = Object.keys(COUNTED) as (keyof typeof COUNTED)[];

/** How much of its quotas the tenant uses, for those that count what is there. */
export class QuotaUse extends TenantQuery<Record<string, never>, z.output<typeof quotaUseView>[]> {
  readonly scope = 'tenant:read';
}

@QueryHandler(QuotaUse)
export class QuotaUseHandler implements IQueryHandler<QuotaUse> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller }: QuotaUse): Promise<z.output<typeof quotaUseView>[]> {
    const { quotas } = planOf(caller.plan);
    return this.tenants.reading(caller, (tx) =>
      Promise.all(
        COUNTED_QUOTAS.map(async (quota) => {
          const counted = await tx.row(COUNTED[quota], [tx.tenantId]);
          return { quota, limit: quotas[quota], used: Number(counted?.count ?? 0) };
        }),
      ),
    );
  }
}
