import { newId } from '@holdfast/kernel';
import { statement, type SystemTx } from '@holdfast/database';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { auditLogBroken } from './log.events';
import type { LogFinding } from './log-finding';

/** Findings of a tenant that are kept; a log with so many is not looked into one by one. */
const KEPT_MAX = 1_000;

const RECORD = statement<{ readonly id: string; readonly at: bigint; readonly isFresh: boolean }>(
  'audit.record_breaks',
  `insert into audit.breaks as b (tenant_id, id, kind, epoch, leaf, event_id, message, last_seen_at)
   select $1, f.id, f.kind, f.epoch, f.leaf, f.event_id, f.message, clock_timestamp()
   from unnest($2::uuid[], $3::text[], $4::int[], $5::bigint[], $6::uuid[], $7::text[]) f (id, kind, epoch, leaf, event_id, message)
   where (select count(*) from audit.breaks k where k.tenant_id = $1) < $8
   on conflict (tenant_id, kind, epoch, leaf, event_id) do update set last_seen_at = clock_timestamp()
   returning b.id, array_position($2::uuid[], b.id)::bigint as at, b.xmax = 0 as "isFresh"`,
);

const DELETE_MENDED = statement(
  'audit.delete_mended_breaks',
  'delete from audit.breaks where tenant_id = $1 and last_seen_at < $2::timestamptz',
);

// Over all tenants, in the role that may read nothing else of them.
const COUNT = statement<{ readonly count: number }>(
  'audit.count_breaks',
  'select count(*)::int as count from (select b.tenant_id from audit.breaks b limit $1) b',
);

/** Keeps what was found, and announces what was not known. Answers that. */
export async function recordLogBreaks(tx: TenantTx, findings: readonly LogFinding[]): Promise<LogFinding[]> {
  const keyOf = ({ kind, epoch, index, eventId }: LogFinding): string =>
    `${kind} ${epoch} ${index} ${eventId}`;
  const distinct = [...new Map(findings.map((each) => [keyOf(each), each])).values()];
  if (distinct.length === 0) return [];
  const recorded = await tx.rows(RECORD, [
    tx.tenantId,
    distinct.map(() => newId()),
    distinct.map(({ kind }) => kind),
    distinct.map(({ epoch }) => epoch),
    distinct.map(({ index }) => index ?? null),
    distinct.map(({ eventId }) => eventId ?? null),
    distinct.map(({ message }) => message),
    KEPT_MAX,
  ]);
  const fresh = recorded.flatMap(({ id, at, isFresh }) => {
    const finding = distinct[Number(at) - 1];
    return isFresh && finding ? [{ id, finding }] : [];
  });
  await tx.announce(
    ...fresh.map(({ id, finding: { kind, epoch, index = null, eventId = null, message } }) =>
      announcement(
        auditLogBroken,
        { id, version: 1n },
        { kind, epoch, leaf: index, eventId, found: message },
      ),
    ),
  );
  return fresh.map(({ finding }) => finding);
}

/** Forgets what a run that began then has not found. */
export async function deleteMendedLogBreaks(tx: TenantTx, startedAt: string): Promise<void> {
  await tx.execute(DELETE_MENDED, [tx.tenantId, startedAt]);
}

/** Findings of all tenants, up to a bound. */
export async function countLogBreaks(tx: SystemTx, limit: number): Promise<number> {
  return (await tx.row(COUNT, [limit]))?.count ?? 0;
}
