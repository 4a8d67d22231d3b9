import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** A checkpoint, and the first leaf behind those whose events may go. */
export interface PrunableLeaves {
  readonly epoch: number;
  readonly from: bigint;
  readonly to: bigint;
  readonly size: bigint;
  readonly root: Buffer;
}

// The first epoch that is not wholly pruned: its order is that of time.
const FIND_EPOCH = statement<Omit<PrunableLeaves, 'to'>>(
  'audit.find_epoch_to_prune',
  `select e.epoch, greatest(e.pruned_to, 1) as "from", c.size, c.root
   from audit.epochs e
   cross join lateral (
     select k.size, k.root from audit.checkpoints k
     where k.tenant_id = e.tenant_id and k.epoch = e.epoch order by k.hour desc limit 1) c
   where e.tenant_id = $1 and greatest(e.pruned_to, 1) < c.size
   order by e.epoch
   limit 1`,
);

// A leaf without a row keeps nothing: what should not be gone is found by who verifies.
const FIND_END = statement<{ readonly to: bigint | null }>(
  'audit.find_prunable_end',
  `select coalesce(
     min(p.index) filter (where e.occurred_at >= clock_timestamp() - make_interval(days => $5)
       or not coalesce(pg_visible_in_snapshot(e.xid, s.snapshot), e.id is null)), max(p.index) + 1)::bigint as "to"
   from (select events.consumed_snapshot($1) as snapshot) s
   cross join (
     select i.event_id, l.tile * 256 + i.at - 1 as index
     from audit.leaves l
     cross join lateral unnest(l.event_ids) with ordinality i (event_id, at)
     where l.tenant_id = $1 and l.epoch = $2 and l.tile between $3::bigint / 256 and $3::bigint / 256 + 63) p
   left join events.log e on e.tenant_id = $1 and e.id = p.event_id
   where p.index >= $3 and p.index < $4`,
);

const IS_READ = statement<{ readonly isRead: boolean }>(
  'audit.is_log_being_read',
  `select exists (
     select from tenants.tasks
     where tenant_id = $1 and kind in ('audit-verification', 'audit-export') and progress::text <> '{}') as "isRead"`,
);

const IS_SEALED = statement<{ readonly isSealed: boolean }>(
  'audit.is_pruning_sealed',
  `select exists (
     select from events.log e
     join audit.leaves l on l.tenant_id = $1 and l.high_seq >= e.seq and l.first_seq <= e.seq
     where e.tenant_id = $1 and e.id = $2
       and l.tile * 256 + array_position(l.event_ids, $2::uuid) - 1 < (
         select max(c.size) from audit.checkpoints c where c.tenant_id = $1 and c.epoch = l.epoch)) as "isSealed"`,
);

const PRUNE = statement<{ readonly nextLeaf: bigint | null; readonly deleted: bigint }>(
  'audit.prune_page',
  'select next_leaf as "nextLeaf", deleted from tenancy.prune_log($1, $2, $3)',
);

/** Leaves whose events may go, of 64 tiles at most; undefined where there are none. */
export async function findPrunable(tx: TenantTx, keepDays: number): Promise<PrunableLeaves | undefined> {
  const epoch = await tx.row(FIND_EPOCH, [tx.tenantId]);
  if (!epoch) return undefined;
  const end = await tx.row(FIND_END, [tx.tenantId, epoch.epoch, epoch.from, epoch.size, keepDays]);
  return end?.to && end.to > epoch.from ? { ...epoch, to: end.to } : undefined;
}

/** Whether somebody is on the way through the log who began before the event was sealed that says what is pruned. */
export async function isLogBeingRead(tx: TenantTx): Promise<boolean> {
  return (await tx.row(IS_READ, [tx.tenantId]))?.isRead ?? false;
}

/** Whether the event is under a checkpoint. */
export async function isPruningSealed(tx: TenantTx, eventId: string): Promise<boolean> {
  return (await tx.row(IS_SEALED, [tx.tenantId, eventId]))?.isSealed ?? false;
}

/** Deletes a page. Answers where the next begins; null where it may not be done now. */
export async function prunePage(
  tx: TenantTx,
  eventId: string,
  from: bigint,
  count: number,
): Promise<{ readonly nextLeaf: bigint | null; readonly deleted: bigint }> {
  const page = await tx.row(PRUNE, [eventId, from, count]);
  if (!page) throw new Error('a page of the retention answered nothing');
  return page;
}
