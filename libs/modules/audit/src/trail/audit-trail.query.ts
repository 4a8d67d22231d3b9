import { instantSchema, streamNameSchema } from '@holdfast/kernel';
import { Cursors, page, type Page, pageInput, Readings, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { type AuditEventRow, type AuditEventView, showAuditEvent } from './audit-event-view';

/** No control characters: PostgreSQL cannot even compare a text that holds NUL. */
const wordSchema = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}+$/u, 'Control characters are not allowed.');

/** Which events to list. Filters are joined by and. */
export const auditTrailInput = z.strictObject({
  actor: wordSchema.optional().meta({ description: 'Only what this actor did.' }),
  type: wordSchema.optional().meta({ description: 'Only events of this type.' }),
  stream: streamNameSchema.optional().meta({
    description: 'Only events of this stream.',
    examples: ['ledger.transfer/019a0000-0000-7000-8000-000000000001'],
  }),
  from: instantSchema.optional().meta({ description: 'Only events at or after this instant.' }),
  to: instantSchema.optional().meta({ description: 'Only events before this instant.' }),
  ...pageInput,
});

type Input = z.output<typeof auditTrailInput>;

/** The tenant's events from the log itself, newest first. */
export class AuditTrail extends TenantQuery<Input, Page<AuditEventView>> {
  readonly scope = 'audit:read';
}

// The bound on the id is always there, so that a plan made for any parameters still begins at the page.
const LIST = statement<AuditEventRow>(
  'audit.list_events',
  `select id, type, schema_version, stream_type, stream_id, stream_version, actor, act, correlation_id,
     causation_id, traceparent, to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as occurred_at, data
   from events.log
   where tenant_id = $1
     and id < $2
     and ($3::text is null or actor = $3)
     and ($4::text is null or type = $4)
     and ($5::timestamptz is null or occurred_at >= $5)
     and ($6::timestamptz is null or occurred_at < $6)
   order by id desc
   limit $7`,
);

// A statement of its own, for the index on streams: walking a tenant's whole log for the few events of one would not do.
const LIST_OF_STREAM = statement<AuditEventRow>(
  'audit.list_events_of_stream',
  `select id, type, schema_version, stream_type, stream_id, stream_version, actor, act, correlation_id,
     causation_id, traceparent, to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as occurred_at, data
   from events.log
   where tenant_id = $1
     and id < $2
     and ($3::text is null or actor = $3)
     and ($4::text is null or type = $4)
     and ($5::timestamptz is null or occurred_at >= $5)
     and ($6::timestamptz is null or occurred_at < $6)
     and stream_type = $8
     and stream_id = $9
   order by id desc
   limit $7`,
);

/** Behind every id there can be: where the first page begins. */
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

const cursors = new Cursors('audit.events', z.tuple([z.guid()]));

@QueryHandler(AuditTrail)
export class AuditTrailHandler implements IQueryHandler<AuditTrail> {
  constructor(
    private readonly tenants: TenantDatabase,
    private readonly readings: Readings,
  ) {}

  async execute({ caller, input }: AuditTrail): Promise<Page<AuditEventView>> {
    const { actor, type, from, to, limit } = input;
    const [before] = cursors.decode(caller, input.after) ?? [LAST_ID];
    const values = [
      caller.tenantId,
      before,
      actor ?? null,
      type ?? null,
      from ?? null,
      to ?? null,
      limit + 1,
    ];
    const stream = input.stream?.split('/');
    const rows = stream
      ? await this.tenants.rows(caller, LIST_OF_STREAM, [...values, ...stream])
      : await this.tenants.rows(caller, LIST, values);
    await this.readings.record(caller, {
      what: 'events',
      filters: { actor, type, stream: input.stream, from, to },
    });
    return page(rows, limit, showAuditEvent, (row) => cursors.encode(caller, [row.id]));
  }
}
