import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** A support access as its tenant sees it. */
export interface SupportAccessRow {
  readonly id: string;
  readonly operator: string;
  readonly member_id: string | null;
  readonly scopes: string[];
  readonly reason: string;
  readonly started_at: Date;
  readonly expires_at: Date;
  readonly ended_at: Date | null;
  readonly ended_by: string | null;
}

const OPEN = statement<{ ends_at: Date; held: string[] }>(
  'identity.open_support_access',
  'select ends_at, held from auth.open_support_access($1, $2, $3, $4, $5, $6)',
);

const INSERT = statement<SupportAccessRow>(
  'identity.insert_support_access',
  `insert into identity.support_accesses (tenant_id, id, operator, member_id, scopes, reason, expires_at)
   values ($1, $2, tenancy.act(), $3, $4, $5, $6)
   returning id, operator, member_id, scopes, reason, started_at, expires_at, ended_at, ended_by`,
);

const LOCK = statement<{ is_over: boolean }>(
  'identity.lock_support_access',
  `select ended_at is not null or expires_at <= clock_timestamp() as is_over
   from identity.support_accesses
   where tenant_id = $1 and id = $2
   for no key update`,
);

const MARK_ENDED = statement(
  'identity.mark_support_access_ended',
  `update identity.support_accesses
   set ended_at = clock_timestamp(), ended_by = coalesce(tenancy.act(), tenancy.actor())
   where tenant_id = $1 and id = $2`,
);

const REVOKE = statement('identity.revoke_support_access', 'select auth.revoke_credential($1)');

/** What a support access is stored with. */
export interface NewSupportAccess {
  readonly id: string;
  readonly memberId: string | null;
  readonly scopes: readonly string[];
  /** Whether scopes that the member lacks are left out instead of refused. */
  readonly narrow: boolean;
  readonly minutes: number;
  readonly reason: string;
}

/** Stores a support access and the hash that it is recognised by; undefined when there is no such member. */
export async function insertSupportAccess(
  tx: TenantTx,
  { id, memberId, scopes, narrow, minutes, reason }: NewSupportAccess,
  hash: Buffer,
): Promise<SupportAccessRow | undefined> {
  const opened = await tx.row(OPEN, [id, hash, scopes, minutes, memberId, narrow]);
  if (!opened) return undefined;
  return tx.row(INSERT, [tx.tenantId, id, memberId, opened.held, reason, opened.ends_at]);
}

/** Whether the support access is over, locked until the transaction ends; undefined when there is none. */
export async function lockSupportAccess(tx: TenantTx, id: string): Promise<{ isOver: boolean } | undefined> {
  const row = await tx.row(LOCK, [tx.tenantId, id]);
  return row && { isOver: row.is_over };
}

/** Ends a support access: its row says so, and its secret opens nothing more. */
export async function markSupportAccessEnded(tx: TenantTx, id: string): Promise<void> {
  await Promise.all([tx.execute(MARK_ENDED, [tx.tenantId, id]), tx.execute(REVOKE, [id])]);
}
