import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';

/** What GET /v1/usage takes: UTC days, `from` included and `to` left out. */
export const tenantUsageInput = z.strictObject({
  from: z.iso.date().optional().meta({ description: 'First day; by default 30 days ago.' }),
  to: z.iso.date().optional().meta({ description: 'The day behind the last; by default tomorrow.' }),
});

/** How many events of each type the tenant has caused, day by day. */
export const tenantUsageView = z.object({
  data: z.array(
    z.object({
      on: z.iso.date(),
      eventType: z.string(),
      count: z.string().meta({ description: 'A whole number.' }),
    }),
  ),
});

/** The tenant's usage; a projection of the event log, behind it by the time of delivery. */
export class TenantUsage extends TenantQuery<
  z.output<typeof tenantUsageInput>,
  z.output<typeof tenantUsageView>
> {
  readonly scope = 'tenant:read';
}

interface UsageRow {
  readonly used_on: string;
  readonly event_type: string;
  readonly event_count: bigint;
}

// A year of 27 event types at most: enough for any chart, and bounded.
const LIST = statement<UsageRow>(
  'tenants.list_usage',
  `select to_char(used_on, 'YYYY-MM-DD') as used_on, event_type, event_count
   from tenants.usage_counts
   where tenant_id = $1
     and used_on >= coalesce($2::date, current_date - 30)
     and used_on < coalesce($3::date, current_date + 1)
   order by used_on, event_type
   limit 10000`,
);

@QueryHandler(TenantUsage)
export class TenantUsageHandler implements IQueryHandler<TenantUsage> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: TenantUsage): Promise<z.output<typeof tenantUsageView>> {
    const rows = await this.tenants.rows(caller, LIST, [
      caller.tenantId,
      input.from ?? null,
      input.to ?? null,
    ]);
    return {
      data: rows.map((row) => ({
        on: row.used_on,
        eventType: row.event_type,
        count: row.event_count.toString(),
      })),
    };
  }
}
