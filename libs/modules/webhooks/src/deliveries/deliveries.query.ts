import { type Caller, instantSchema, NotFound } from '@holdfast/kernel';
import { Cursors, lookedAt, type LookedAt, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type DeliveryRow, deliveryStatus, type DeliveryView, showDelivery } from './delivery';

/** A type of event, whole. */
export const eventTypeFilter = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}+$/u, 'Control characters are not allowed.');

/** What GET /v1/webhooks/{id}/deliveries takes. */
export const deliveriesInput = z.strictObject({
  status: deliveryStatus.optional().meta({ description: 'Only deliveries that stand so.' }),
  type: eventTypeFilter.optional().meta({ description: 'Only events of this type.' }),
  from: instantSchema.optional().meta({ description: 'Only deliveries made at or after this instant.' }),
  to: instantSchema.optional().meta({ description: 'Only deliveries made before this instant.' }),
  ...pageInput,
});

type Input = z.output<typeof deliveriesInput> & { readonly webhookId: string };

/**
 * What was and is to be delivered to a webhook within the last thirty days, newest first. Where filters leave out nearly all, a page may be
 * short or empty though there are more behind its cursor.
 */
export class Deliveries extends TenantQuery<Input, Page<DeliveryView>> {
  readonly scope = 'webhooks:read';
}

// Failed ones have an index of their own, since they are few; the other half then has nothing. No more is read than is shown, and no more
// than a page looks at. The limits are asked for, so that no plan is made for their values: see `payments.list`.
const LIST = statement<DeliveryRow & LookedAt>(
  'webhooks.list_deliveries',
  `select d.id, d.endpoint_id, d.event_id, d.event_type, d.stream, d.status, d.attempt_count, d.due_at, d.created_at,
     to_char(d.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as created_text, d.completed_at,
     a.outcome as last_outcome, a.status as last_status, d.is_shown as "isShown", d.place = $10 as "isLast"
   from (
     select l.id, l.endpoint_id, l.event_id, l.event_type, l.stream, l.status, l.attempt_count, l.due_at, l.created_at, l.completed_at,
       row_number() over (order by l.created_at desc, l.id desc) as place,
       ($5::text is null or l.status = $5) and ($6::text is null or l.event_type = $6) as is_shown
     from (
       (select id, endpoint_id, event_id, event_type, stream, status, attempt_count, due_at, created_at, completed_at
        from webhooks.deliveries
        where tenant_id = $1 and endpoint_id = $2 and (created_at, id) < ($3::timestamptz, $4::uuid) and $5::text is distinct from 'failed'
          and created_at >= coalesce($7::timestamptz, '-infinity') and created_at < coalesce($8::timestamptz, 'infinity')
        order by created_at desc, id desc
        limit (select $10::bigint))
       union all
       (select id, endpoint_id, event_id, event_type, stream, status, attempt_count, due_at, created_at, completed_at
        from webhooks.deliveries
        where tenant_id = $1 and endpoint_id = $2 and (created_at, id) < ($3::timestamptz, $4::uuid) and $5 = 'failed' and status = 'failed'
          and created_at >= coalesce($7::timestamptz, '-infinity') and created_at < coalesce($8::timestamptz, 'infinity')
        order by created_at desc, id desc
        limit (select $10::bigint))
     ) l
   ) d
   left join webhooks.attempts a on a.tenant_id = $1 and a.delivery_id = d.id and a.number = d.attempt_count
   where d.is_shown or d.place = $10
   order by d.created_at desc, d.id desc
   limit (select $9::bigint)`,
);

/** Deliveries that one page looks at, at most: some 10 ms. */
const LOOKED_AT_MAX = 2_000;

const EXISTS = statement(
  'webhooks.find_endpoint_id',
  'select 1 as found from webhooks.endpoints where tenant_id = $1 and id = $2 and removed_at is null',
);

const FIRST = ['infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff'] as const;
const cursors = new Cursors('webhooks.deliveries', z.tuple([z.string(), z.guid()]));

@QueryHandler(Deliveries)
export class DeliveriesHandler implements IQueryHandler<Deliveries> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input }: Deliveries): Promise<Page<DeliveryView>> {
    const { webhookId, status, type, from, to, limit, after } = input;
    const [createdAt, id] = cursors.decode(caller, after) ?? FIRST;
    const filters = [status ?? null, type ?? null, from ?? null, to ?? null];
    const rows = await this.tenants.reading(caller, async (tx) => {
      const found = await tx.row(EXISTS, [tx.tenantId, webhookId]);
      if (!found) throw new NotFound();
      return tx.rows(LIST, [tx.tenantId, webhookId, createdAt, id, ...filters, limit + 1, LOOKED_AT_MAX]);
    });
    const { shown, last } = lookedAt(rows);
    return page(shown, limit, showDelivery, (row) => cursorOf(caller, row), last && cursorOf(caller, last));
  }
}

function cursorOf(caller: Caller, { created_text: createdAt, id }: DeliveryRow): string {
  return cursors.encode(caller, [createdAt, id]);
}
