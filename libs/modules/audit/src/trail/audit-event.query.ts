import { NotFound } from '@holdfast/kernel';
import { Readings, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { type AuditEventRow, type AuditEventView, showAuditEvent } from './audit-event-view';

/** One event of the tenant's log. Throws NotFound. */
export class AuditEvent extends TenantQuery<{ readonly id: string }, AuditEventView> {
  readonly scope = 'audit:read';
}

const FIND = statement<AuditEventRow>(
  'audit.find_event',
  `select id, type, schema_version, stream_type, stream_id, stream_version, actor, act, correlation_id,
     causation_id, traceparent, to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as occurred_at, data
   from events.log
   where tenant_id = $1 and id = $2`,
);

@QueryHandler(AuditEvent)
export class AuditEventHandler implements IQueryHandler<AuditEvent> {
  constructor(
    private readonly tenants: TenantDatabase,
    private readonly readings: Readings,
  ) {}

  async execute({ caller, input }: AuditEvent): Promise<AuditEventView> {
    const [row] = await this.tenants.rows(caller, FIND, [caller.tenantId, input.id]);
    if (!row) throw new NotFound();
    await this.readings.record(caller, { what: 'event', of: [input.id] });
    return showAuditEvent(row);
  }
}
