import { NotFound } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { showWebhook, type WebhookRow, type WebhookView } from './webhook';

/** What GET /v1/webhooks takes. */
export const webhooksInput = z.strictObject({ ...pageInput });

/** The tenant's webhooks, newest first. */
export class Webhooks extends TenantQuery<z.output<typeof webhooksInput>, Page<WebhookView>> {
  readonly scope = 'webhooks:read';
}

/** One webhook. */
export class WebhookById extends TenantQuery<{ readonly id: string }, WebhookView> {
  readonly scope = 'webhooks:read';
}

const LIST = statement<WebhookRow>(
  'webhooks.list_endpoints',
  `select e.id, e.url, e.description, e.event_types, e.signing, e.disabled_at, e.disabled_reason, e.failing_since,
     e.created_by, e.created_at, e.version,
     coalesce((
       select jsonb_agg(jsonb_build_object('id', s.id, 'scheme', s.scheme, 'publicKey', s.public_key,
         'createdAt', s.created_at, 'endsAt', s.ends_at) order by s.created_at desc)
       from webhooks.secrets s
       where s.tenant_id = $1 and s.endpoint_id = e.id and (s.ends_at is null or s.ends_at > clock_timestamp())
     ), '[]') as secrets
   from webhooks.endpoints e
   where e.tenant_id = $1
     and e.removed_at is null
     and ($2::uuid is null or e.id < $2)
     and ($3::uuid is null or e.id = $3)
   order by e.id desc
   limit $4`,
);

const cursors = new Cursors('webhooks.endpoints', z.tuple([z.guid()]));

@QueryHandler(Webhooks)
export class WebhooksHandler implements IQueryHandler<Webhooks> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { limit, after } }: Webhooks): Promise<Page<WebhookView>> {
    const [before] = cursors.decode(caller, after) ?? [null];
    const rows = await this.tenants.rows(caller, LIST, [caller.tenantId, before, null, limit + 1]);
    return page(rows, limit, showWebhook, (row) => cursors.encode(caller, [row.id]));
  }
}

@QueryHandler(WebhookById)
export class WebhookByIdHandler implements IQueryHandler<WebhookById> {
  constructor(private readonly tenants: TenantDatabase) {}

  async execute({ caller, input: { id } }: WebhookById): Promise<WebhookView> {
    const [row] = await this.tenants.rows(caller, LIST, [caller.tenantId, null, id, 1]);
    if (!row) throw new NotFound();
    return showWebhook(row);
  }
}
