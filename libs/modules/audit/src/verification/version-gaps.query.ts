import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { LeafRow } from '../sealing/leaf';
import type { LogFinding } from './log-finding';

const FIND_GAPS = statement<{ readonly id: string; readonly isWithin: boolean }>(
  'audit.find_version_gaps',
  `select n.id, exists (
     select from events.log e
     where e.tenant_id = $1 and e.stream_type = n.stream_type and e.stream_id = n.stream_id
       and e.stream_version < n.stream_version - 1) as "isWithin"
   from unnest($2::uuid[], $3::text[], $4::uuid[], $5::bigint[]) n (id, stream_type, stream_id, stream_version)
   where n.stream_version > 1 and not exists (
     select from events.log e
     where e.tenant_id = $1 and e.stream_type = n.stream_type and e.stream_id = n.stream_id
       and e.stream_version = n.stream_version - 1)
   limit 10000`,
);
// Of its own, or where it was exported from: an import takes the event along, and nothing of the tree.
const HAS_PRUNED = statement<{ readonly isPruned: boolean; readonly isOfPruned: boolean }>(
  'audit.has_pruned_rows',
  `select exists (select from audit.epochs where tenant_id = $1 and pruned_to > 0) as "isPruned",
     exists (
       select from events.log e
       where e.tenant_id = $1 and e.stream_type = 'audit.log' and e.type = 'audit.log.pruned'
         and e.actor = 'system:pruner' and e.act is null and e.data->>'tenantId' <> $1::text) as "isOfPruned"`,
);

/** Versions that are missing in the midst of streams, and how many at their beginnings, where those may be. */
export interface VersionGaps {
  readonly findings: readonly LogFinding[];
  readonly late: number;
  /** Whether an import brought along streams that begin later. */
  readonly isOfPruned: boolean;
}

/** Events whose stream has no version before theirs. Where rows were pruned, a stream may begin later than with 1. */
export async function findVersionGaps(
  tx: TenantTx,
  epoch: number,
  leaves: readonly { readonly index: number; readonly row: LeafRow }[],
): Promise<VersionGaps> {
  // Most have theirs in the same page: the table is asked for the others.
  const here = new Set(leaves.map(({ row }) => versionKey(row, row.stream_version)));
  const asked = leaves.filter(
    ({ row }) => !here.has(versionKey(row, String(BigInt(row.stream_version) - 1n))),
  );
  const column = (pick: (row: LeafRow) => string): string[] => asked.map(({ row }) => pick(row));
  const gaps = await tx.rows(FIND_GAPS, [
    tx.tenantId,
    column(({ id }) => id),
    column((row) => row.stream_type),
    column((row) => row.stream_id),
    column((row) => row.stream_version),
  ]);
  if (gaps.length === 0) return { findings: [], late: 0, isOfPruned: false };
  const { isPruned = false, isOfPruned = false } = (await tx.row(HAS_PRUNED, [tx.tenantId])) ?? {};
  const isWithin = new Map(gaps.map((gap) => [gap.id, gap.isWithin || !(isPruned || isOfPruned)]));
  const findings = leaves
    .filter(({ row }) => isWithin.get(row.id))
    .map(({ index, row }) => ({
      ...{ kind: 'gap' as const, epoch, index, eventId: row.id },
      message: `version ${Number(row.stream_version) - 1} of the stream ${row.stream_type}/${row.stream_id} is missing`,
    }));
  const late = leaves
    .filter(({ row }) => isWithin.get(row.id) === false)
    .reduce((sum, { row }) => sum + Number(row.stream_version) - 1, 0);
  return { findings, late, isOfPruned };
}

function versionKey({ stream_type, stream_id }: LeafRow, version: string): string {
  return `${stream_type}/${stream_id}/${version}`;
}
