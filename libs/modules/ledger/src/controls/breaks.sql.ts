import { newId } from '@holdfast/kernel';
import { statement, type SystemTx } from '@holdfast/database';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { controlBroken } from '../ledger.events';
import type { LedgerBreak } from './verify-ledger';

/** Breaks of a tenant that are kept; a ledger with so many is not mended one by one. */
const KEPT_MAX = 1_000;

// In the order of the key, which two processes that have found the same share.
const RECORD = statement<LedgerBreak & { readonly id: string; readonly isFresh: boolean }>(
  'ledger.record_breaks',
  `insert into ledger.breaks as b (tenant_id, id, rule, relation, row_id, expected, last_seen_at)
   select $1, f.id, f.rule, f.relation, f.row_id, f.expected, ledger.clock()
   from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[]) f (id, rule, relation, row_id, expected)
   where (select count(*) from ledger.breaks k where k.tenant_id = $1) < $7
   order by f.rule, f.relation, f.row_id
   on conflict (tenant_id, rule, relation, row_id) do update set last_seen_at = ledger.clock()
   returning b.id, b.rule, b.relation, b.row_id as "rowId", b.expected, b.xmax = 0 as "isFresh"`,
);

/**
 * Keeps what was found, and announces what was not known: each once, however often it is found, until a run over everything
 * no longer finds it. Answers what was not known.
 */
export async function recordBreaks(tx: TenantTx, breaks: readonly LedgerBreak[]): Promise<LedgerBreak[]> {
  // A row can break one rule on both of its legs; it is known by the first.
  const distinct = new Map(
    breaks.toReversed().map((each) => [`${each.rule} ${each.relation} ${each.rowId}`, each]),
  );
  if (distinct.size === 0) return [];
  const each = (pick: (found: LedgerBreak) => string): string[] => [...distinct.values()].map(pick);
  const recorded = await tx.rows(RECORD, [
    tx.tenantId,
    each(() => newId()),
    each(({ rule }) => rule),
    each(({ relation }) => relation),
    each(({ rowId }) => rowId),
    each(({ expected }) => expected),
    KEPT_MAX,
  ]);
  const fresh = recorded.filter(({ isFresh }) => isFresh);
  await tx.announce(
    ...fresh.map(({ id, rule, relation, rowId, expected }) =>
      announcement(controlBroken, { id, version: 1n }, { rule, table: relation, rowId, expected }),
    ),
  );
  return fresh.map(({ rule, relation, rowId, expected }) => ({ rule, relation, rowId, expected }));
}

const DELETE_MENDED = statement(
  'ledger.delete_mended_breaks',
  'delete from ledger.breaks b where b.tenant_id = $1 and b.last_seen_at < $2::timestamptz',
);

/** Forgets what a run over everything that began then has not found. */
export async function deleteMendedBreaks(tx: TenantTx, startedAt: string): Promise<void> {
  await tx.execute(DELETE_MENDED, [tx.tenantId, startedAt]);
}

const COUNT = statement<{ count: number }>(
  'ledger.count_breaks',
  'select count(*)::int as count from (select b.tenant_id from ledger.breaks b limit $1) b',
);

/** Breaks of all tenants, up to a bound. */
export async function countBreaks(tx: SystemTx, limit: number): Promise<number> {
  return (await tx.row(COUNT, [limit]))?.count ?? 0;
}
