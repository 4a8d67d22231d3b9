import { holds, NotFound } from '@holdfast/kernel';
import { Readings, TenantQuery } from '@holdfast/cqrs';
import { statement } from '@holdfast/database';
import { findEventType, TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { type IQueryHandler, QueryHandler } from '@nestjs/cqrs';
import { discloseTo } from '../disclosures/disclose';
import { type Change, StreamFold, VERSIONS_MAX } from '../history/stream-fold';
import { readStream } from '../history/streams.sql';
import { listOrigins } from '../origins/origins.sql';
import { type AuditEventDetailView } from './audit-event-detail-view';
import { type AuditEventRow, showAuditEvent } from './audit-event-view';

/** One event of the tenant's log, and what it made of its entity. Throws NotFound. */
export class AuditEvent extends TenantQuery<{ readonly id: string }, AuditEventDetailView> {
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

  async execute({ caller, input }: AuditEvent): Promise<AuditEventDetailView> {
    const { row, change, origins } = await this.tenants.reading(caller, (tx) => findWithChange(tx, input.id));
    await this.readings.record(caller, { what: 'event', of: [input.id] });
    return {
      ...showAuditEvent(row),
      description: findEventType(row.type)?.description ?? null,
      who: describeActor(row.actor),
      origins,
      before: change?.before ?? null,
      after: change?.after ?? null,
      changes: change ? [...change.changes] : null,
    };
  }
}

async function findWithChange(
  tx: TenantTx,
  id: string,
): Promise<{
  readonly row: AuditEventRow;
  readonly change: Change | undefined;
  readonly origins: AuditEventDetailView['origins'];
}> {
  const [row] = await discloseTo(tx, await tx.rows(FIND, [tx.tenantId, id]));
  if (!row) throw new NotFound();
  return { row, change: await changeOf(tx, row), origins: await originsOf(tx, row) };
}

/** Addresses are personal values. */
async function originsOf(tx: TenantTx, row: AuditEventRow): Promise<AuditEventDetailView['origins']> {
  const { correlation_id: requestId, actor, occurred_at: occurredAt } = row;
  const origins = await listOrigins(tx, { requestId, actor, occurredAt });
  if (holds(tx.caller, 'personal:read')) return origins;
  return origins.map((origin) => ({ ...origin, address: null, userAgent: null }));
}

/** Undefined where the event changed no state that this release knows of, or has too many versions before it. */
async function changeOf(tx: TenantTx, row: AuditEventRow): Promise<Change | undefined> {
  if (row.stream_version > BigInt(VERSIONS_MAX)) return undefined;
  const stream = { type: row.stream_type, id: row.stream_id };
  const fold = new StreamFold();
  for await (const each of readStream(tx, stream, Number(row.stream_version))) {
    const change = fold.take(each);
    if (each.id === row.id) return change.isFolded ? change : undefined;
  }
  return undefined;
}

/** An actor is written `<kind>:<id>`. */
function describeActor(actor: string): AuditEventDetailView['who'] {
  const colon = actor.indexOf(':');
  return colon < 0
    ? { kind: 'other', id: actor }
    : { kind: actor.slice(0, colon), id: actor.slice(colon + 1) };
}
