import { instantSchema, streamNameSchema } from '@holdfast/kernel';
import {
  Cursors,
  lookedAt,
  type LookedAt,
  page,
  type Page,
  pageInput,
  Readings,
  TenantQuery,
} from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { z } from 'zod';
import { discloseTo } from '../disclosures/disclose';
import { type AuditEventRow, type AuditEventView, outcomeSchema, showAuditEvent } from './audit-event-view';

/** No control characters: PostgreSQL cannot even compare a text that holds NUL. */
const wordSchema = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}+$/u, 'Control characters are not allowed.');

/** Which events to list. Filters are joined by and. */
export const auditTrailInput = z.strictObject({
  actor: wordSchema.optional().meta({ description: 'Only what this actor did.' }),
  act: wordSchema.optional().meta({ description: 'Only what this operator did for somebody else.' }),
  type: wordSchema.optional().meta({
    description: 'Only events of this type; with `.*` at the end, of all types that begin so.',
    examples: ['ledger.transfer.posted', 'ledger.*'],
  }),
  stream: streamNameSchema.optional().meta({
    description: 'Only events of this stream.',
    examples: ['ledger.transfer/019a0000-0000-7000-8000-000000000001'],
  }),
  requestId: wordSchema
    .optional()
    .meta({ description: 'Only what came of this request, by its X-Request-Id.' }),
  outcome: outcomeSchema.optional().meta({ description: 'Only what was done, or only what was refused.' }),
  from: instantSchema.optional().meta({ description: 'Only events at or after this instant.' }),
  to: instantSchema.optional().meta({ description: 'Only events before this instant.' }),
  ...pageInput,
});

type Input = z.output<typeof auditTrailInput>;

/**
 * The tenant's events from the log itself, newest first. Where filters leave out nearly all, a page may be short or empty though there are
 * more behind its cursor.
 */
export class AuditTrail extends TenantQuery<Input, Page<AuditEventView>> {
  readonly scope = 'audit:read';
}

// The bound on the id is always there, so that a plan made for any parameters still begins at the page. No more is read than is shown, and
// no more than a page looks at. The limits are asked for, so that no plan is made for their values: see `payments.list`.
const LIST = statement<AuditEventRow & LookedAt>(
  'audit.list_events',
  `select id, type, schema_version, stream_type, stream_id, stream_version, actor, act, correlation_id,
     causation_id, traceparent, to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as occurred_at, data,
     is_shown as "isShown", place = $12 as "isLast"
   from (
     select id, type, schema_version, stream_type, stream_id, stream_version, actor, act, correlation_id, causation_id, traceparent,
       occurred_at, data, row_number() over (order by id desc) as place,
       ($3::text is null or actor = $3)
         and ($4::text is null or act = $4)
         and ($5::text is null or type = $5)
         and ($6::text is null or starts_with(type, $6))
         and ($7::boolean is null or (type like '%.refused') = $7)
         and ($8::timestamptz is null or occurred_at >= $8)
         and ($9::timestamptz is null or occurred_at < $9) as is_shown
     from events.log
     where tenant_id = $1
       and id < $2
       and id >= $11
     order by id desc
     limit (select $12::bigint)
   ) l
   where is_shown or place = $12
   order by id desc
   limit (select $10::bigint)`,
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
     and ($4::text is null or act = $4)
     and ($5::text is null or type = $5)
     and ($6::text is null or starts_with(type, $6))
     and ($7::boolean is null or (type like '%.refused') = $7)
     and ($8::timestamptz is null or occurred_at >= $8)
     and ($9::timestamptz is null or occurred_at < $9)
     and stream_type = $11
     and stream_id = $12
     and ($13::text is null or correlation_id = $13)
     and id >= $14
   order by id desc
   limit $10`,
);

// And one for the index on requests.
const LIST_OF_REQUEST = statement<AuditEventRow>(
  'audit.list_events_of_request',
  `select id, type, schema_version, stream_type, stream_id, stream_version, actor, act, correlation_id,
     causation_id, traceparent, to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as occurred_at, data
   from events.log
   where tenant_id = $1
     and id < $2
     and ($3::text is null or actor = $3)
     and ($4::text is null or act = $4)
     and ($5::text is null or type = $5)
     and ($6::text is null or starts_with(type, $6))
     and ($7::boolean is null or (type like '%.refused') = $7)
     and ($8::timestamptz is null or occurred_at >= $8)
     and ($9::timestamptz is null or occurred_at < $9)
     and correlation_id = $11
     and id >= $12
   order by id desc
   limit $10`,
);

/** Events that one page looks at, at most: some 50 ms. Those of a stream or of a request are few. */
const LOOKED_AT_MAX = 10_000;

/** Behind every id there can be: where the first page begins. */
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
const FIRST_ID = '00000000-0000-0000-0000-000000000000';

/**
 * Ids tell when they were made, which is before the event occurred and on another clock: an hour covers both. So a search by
 * time reads the part of the index that it is about, and not everything since.
 */
const ID_MARGIN_MS = 3_600_000;

const cursors = new Cursors('audit.events', z.tuple([z.guid()]));

@QueryHandler(AuditTrail)
export class AuditTrailHandler implements IQueryHandler<AuditTrail> {
  constructor(
    private readonly tenants: TenantDatabase,
    private readonly readings: Readings,
  ) {}

  async execute({ caller, input }: AuditTrail): Promise<Page<AuditEventView>> {
    const { limit, after, ...filters } = input;
    const [before] = cursors.decode(caller, after) ?? [LAST_ID];
    const [rows, last] = await this.tenants.reading(caller, async (tx) => {
      const found = await rowsOf(tx, input, before);
      return [await discloseTo(tx, found.shown), found.last] as const;
    });
    await this.readings.record(caller, { what: 'events', filters });
    const encode = ({ id }: AuditEventRow): string => cursors.encode(caller, [id]);
    return page(rows, limit, showAuditEvent, encode, last && encode(last));
  }
}

async function rowsOf(
  tx: TenantTx,
  input: Input,
  before: string,
): Promise<{ readonly shown: readonly AuditEventRow[]; readonly last?: AuditEventRow | undefined }> {
  const { actor, act, type, requestId, outcome, from, to, limit } = input;
  const isPrefix = type?.endsWith('.*') === true;
  const values = [
    tx.tenantId,
    [before, to === undefined ? LAST_ID : idAt(Date.parse(to) + ID_MARGIN_MS)].toSorted()[0],
    actor ?? null,
    act ?? null,
    isPrefix ? null : (type ?? null),
    isPrefix ? type.slice(0, -1) : null,
    outcome === undefined ? null : outcome === 'refused',
    from ?? null,
    to ?? null,
    limit + 1,
  ];
  const first = from === undefined ? FIRST_ID : idAt(Date.parse(from) - ID_MARGIN_MS);
  const stream = input.stream?.split('/');
  if (stream)
    return { shown: await tx.rows(LIST_OF_STREAM, [...values, ...stream, requestId ?? null, first]) };
  if (requestId !== undefined)
    return { shown: await tx.rows(LIST_OF_REQUEST, [...values, requestId, first]) };
  return lookedAt(await tx.rows(LIST, [...values, first, LOOKED_AT_MAX]));
}

/** The least id that is made in the millisecond (RFC 9562 §5.7). */
function idAt(ms: number): string {
  const digits = Math.max(0, ms).toString(16).padStart(12, '0');
  return `${digits.slice(0, 8)}-${digits.slice(8)}-0000-0000-000000000000`;
}
