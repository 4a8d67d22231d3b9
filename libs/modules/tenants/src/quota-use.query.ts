import { planOf } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { COUNT_USABLE_API_KEYS } from '@holdfast/identity';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { tenantUsageView } from './tenant-usage.query';

/** A quota of the plan that counts something, and how much of it is used. */
export const quotaUseView = z.object({ quota: z.string(), limit: z.int(), used: z.int() });

/** What GET /v1/usage shows. */
export const usageView = tenantUsageView.extend({ quotas: z.array(quotaUseView) });

/** How much of its quotas the tenant uses, for those that count what is there. */
export class QuotaUse extends TenantQuery<Record<string, never>, z.output<typeof quotaUseView>[]> {
  readonly scope = 'tenant:read';
}

@QueryHandler(QuotaUse)
export class QuotaUseHandler implements IQueryHandler<QuotaUse> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller }: QuotaUse): Promise<z.output<typeof quotaUseView>[]> {
    const { quotas } = planOf(caller.plan);
    const [apiKeys] = await this.tenants.rows(caller, COUNT_USABLE_API_KEYS, [caller.tenantId]);
    return [{ quota: 'apiKeys', limit: quotas.apiKeys, used: Number(apiKeys?.count ?? 0) }];
  }
}
