import { RequestOrigins } from '@holdfast/audit';
import { Tallies } from '@holdfast/cqrs';
import type { RecordedEvent } from '@holdfast/events';
import { CredentialUses } from '@holdfast/identity';
import { newId } from '@holdfast/kernel';
import { ClickHouseConsumer } from '@holdfast/telemetry';
import { UsageConsumer } from '@holdfast/tenants';
import { eventually } from '@holdfast/testing';
import type { TestApi } from '../test-api';

/** Every row that is stored of a tenant, as one digest per table that has tenants. */
export async function rowsOf({ app, database }: TestApi, tenantId: string): Promise<Record<string, string>> {
  // Uses of credentials, refusals and readings are written behind the requests; the tenant's own would look like a change
  // from outside.
  await Promise.all([
    app.get(CredentialUses).flush(),
    app.get(Tallies, { strict: false }).flush(true),
    app.get(RequestOrigins, { strict: false }).flush(),
  ]);
  await sequenced(database, tenantId);
  const tables = await database.admin<{ name: string }>(
    `select format('%I.%I', n.nspname, c.relname) as name
     from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
     where a.attname = 'tenant_id' and c.relkind in ('r', 'p') and n.nspname !~ '^(pg_|information_schema)'
     order by 1`,
  );
  const counts = tables.map(
    ({ name }) =>
      `select '${name}' as name, count(*) || ' rows ' || md5(coalesce(string_agg(t::text, e'\\n' order by t::text), '')) as digest
       from ${name} t where tenant_id = $1`,
  );
  const rows = await database.admin<{ name: string; digest: string }>(counts.join(' union all '), [tenantId]);
  return Object.fromEntries(rows.map(({ name, digest }) => [name, digest]));
}

/** The sequencer puts a tenant's head forward some time behind the events that were committed, and not because of who came next. */
async function sequenced(database: TestApi['database'], tenantId: string): Promise<void> {
  await eventually(async () => {
    const [ahead] = await database.admin(
      `select 1 from events.log e
       where e.tenant_id = $1 and not exists (
         select from events.heads h join events.ticks t on t.id = h.tick
         where h.tenant_id = $1 and pg_visible_in_snapshot(e.xid, t.snapshot))
       limit 1`,
      [tenantId],
    );
    return !ahead;
  });
}

/**
 * Hands a tenant's events to those who show them elsewhere, in place of the worker; and one event more, whose type nobody
 * else has, to ask for.
 */
export async function deliverEvents(api: TestApi, tenantId: string, type: string): Promise<void> {
  const { database, telemetry } = api;
  const events = await database.admin<RecordedEvent>(
    `select seq, id, tenant_id as "tenantId", stream_type as "streamType", stream_id as "streamId",
       stream_version as "streamVersion", type, schema_version as "schemaVersion", actor,
       correlation_id as "correlationId", causation_id as "causationId", traceparent,
       to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "occurredAt", data
     from events.log where tenant_id = $1 order by seq`,
    [tenantId],
  );
  const [first] = events;
  const all = first ? [...events, { ...first, id: newId(), type }] : [];
  await new ClickHouseConsumer(telemetry).deliver(all, newId());
  await telemetry.insert('telemetry.tracked', [trackedRow(tenantId, type)], newId());
  const caller = await database.caller(tenantId);
  await database.tenants(1).transaction(caller, (tx) => new UsageConsumer().deliver(tx, all));
}

/** An event that the tenant's software tracked, marked wherever there is a text. */
function trackedRow(tenantId: string, mark: string): object {
  const at = new Date().toISOString().replace('T', ' ').replace('Z', '');
  return {
    tenant_id: tenantId,
    message_id: `${mark}-message`,
    kind: 'track',
    name: mark,
    user_id: mark,
    anonymous_id: `${mark}-anonymous`,
    group_id: `${mark}-group`,
    at,
    made_at: String(Date.now()),
    received_at: at,
    key_id: newId(),
    keep_days: 30,
    properties: { plan: mark },
    context: {},
  };
}
