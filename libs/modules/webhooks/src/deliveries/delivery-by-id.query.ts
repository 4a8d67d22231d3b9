import { NotFound } from '@holdfast/kernel';
import { TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import type { RecordedEvent } from '@holdfast/events';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { type AttemptRow, type DeliveryDetailView, type DeliveryRow, showDeliveryDetail } from './delivery';

/** One delivery of a webhook, with its attempts. */
export class DeliveryById extends TenantQuery<
  { readonly webhookId?: string; readonly id: string },
  DeliveryDetailView
> {
  readonly scope = 'webhooks:read';
}

const FIND = statement<DeliveryRow & { readonly test_body: unknown }>(
  'webhooks.find_delivery',
  `select d.id, d.endpoint_id, d.event_id, d.event_type, d.stream, d.status, d.attempt_count, d.due_at, d.created_at,
     d.created_at::text as created_text, d.completed_at, d.test_body, a.outcome as last_outcome, a.status as last_status
   from webhooks.deliveries d
   join webhooks.endpoints e on e.tenant_id = $1 and e.id = d.endpoint_id and e.removed_at is null
   left join webhooks.attempts a on a.tenant_id = $1 and a.delivery_id = d.id and a.number = d.attempt_count
   where d.tenant_id = $1 and d.id = $2 and ($3::uuid is null or d.endpoint_id = $3)`,
);

const LIST_ATTEMPTS = statement<AttemptRow>(
  'webhooks.list_attempts',
  `select number, started_at, outcome, status, latency_ms, url, request_headers, response_headers, response_body
   from webhooks.attempts
   where tenant_id = $1 and delivery_id = $2
   order by number desc
   limit 20`,
);

const FIND_EVENT = statement<RecordedEvent>(
  'webhooks.find_delivered_event',
  `select seq, id, tenant_id as "tenantId", stream_type as "streamType", stream_id as "streamId",
     stream_version as "streamVersion", type, schema_version as "schemaVersion", actor, act,
     correlation_id as "correlationId", causation_id as "causationId", traceparent,
     to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt", data
   from events.log
   where tenant_id = $1 and id = $2`,
);

@QueryHandler(DeliveryById)
export class DeliveryByIdHandler implements IQueryHandler<DeliveryById> {
  constructor(private readonly tenants: TenantDatabase) {}

  execute({ caller, input: { webhookId, id } }: DeliveryById): Promise<DeliveryDetailView> {
    return this.tenants.reading(caller, async (tx) => {
      const row = await tx.row(FIND, [tx.tenantId, id, webhookId ?? null]);
      if (!row) throw new NotFound();
      const [attempts, event] = await Promise.all([
        tx.rows(LIST_ATTEMPTS, [tx.tenantId, id]),
        tx.row(FIND_EVENT, [tx.tenantId, row.event_id]),
      ]);
      return showDeliveryDetail(row, attempts, event ?? null, row.test_body);
    });
  }
}
