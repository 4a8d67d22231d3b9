import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { LegalHoldRow } from './legal-hold';

const MAKE_LOCK = statement(
  'audit.make_retention',
  'insert into audit.retention (tenant_id) values ($1) on conflict (tenant_id) do nothing',
);

const LOCK = statement(
  'audit.lock_retention',
  'select tenant_id from audit.retention where tenant_id = $1 for update',
);

const FIND_HOLD = statement<{ readonly id: string }>(
  'audit.find_legal_hold',
  `select id
   from audit.legal_holds
   where tenant_id = $1 and lifted_at is null and (subject is null or subject = any($2::uuid[]))
   limit 1`,
);

const FIND_ANY_HOLD = statement<{ readonly id: string }>(
  'audit.find_any_legal_hold',
  'select id from audit.legal_holds where tenant_id = $1 and lifted_at is null limit 1',
);

const INSERT = statement<LegalHoldRow>(
  'audit.insert_legal_hold',
  `insert into audit.legal_holds (tenant_id, id, subject, reason)
   values ($1, $2, $3, $4)
   returning id, subject, reason, placed_by, placed_at, lifted_by, lifted_at`,
);

const LOCK_HOLD = statement<LegalHoldRow>(
  'audit.lock_legal_hold',
  `select id, subject, reason, placed_by, placed_at, lifted_by, lifted_at
   from audit.legal_holds
   where tenant_id = $1 and id = $2
   for no key update`,
);

const MARK_LIFTED = statement<LegalHoldRow>(
  'audit.mark_legal_hold_lifted',
  `update audit.legal_holds
   set lifted_at = clock_timestamp(), lifted_by = tenancy.actor()
   where tenant_id = $1 and id = $2
   returning id, subject, reason, placed_by, placed_at, lifted_by, lifted_at`,
);

/** Keeps out, until the transaction ends, everybody else who places a hold or looks for one to erase something. */
export async function lockHolds(tx: TenantTx): Promise<void> {
  await tx.execute(MAKE_LOCK, [tx.tenantId]);
  await tx.execute(LOCK, [tx.tenantId]);
}

/** Whether a hold keeps one of the subjects, or the whole tenant. */
export async function isHeld(tx: TenantTx, subjects: readonly string[]): Promise<boolean> {
  return (await tx.row(FIND_HOLD, [tx.tenantId, subjects])) !== undefined;
}

/** Whether the tenant has any hold: it cannot be erased then, nor its log be pruned. */
export async function hasLegalHold(tx: TenantTx): Promise<boolean> {
  return (await tx.row(FIND_ANY_HOLD, [tx.tenantId])) !== undefined;
}

/** Stores a hold. */
export async function insertLegalHold(
  tx: TenantTx,
  {
    id,
    subjectId,
    reason,
  }: { readonly id: string; readonly subjectId: string | null; readonly reason: string },
): Promise<LegalHoldRow> {
  return got(await tx.row(INSERT, [tx.tenantId, id, subjectId, reason]));
}

/** The hold, locked until the transaction ends. */
export function lockLegalHold(tx: TenantTx, id: string): Promise<LegalHoldRow | undefined> {
  return tx.row(LOCK_HOLD, [tx.tenantId, id]);
}

/** Lifts a locked hold. */
export async function markLegalHoldLifted(tx: TenantTx, id: string): Promise<LegalHoldRow> {
  return got(await tx.row(MARK_LIFTED, [tx.tenantId, id]));
}

function got(row: LegalHoldRow | undefined): LegalHoldRow {
  if (!row) throw new Error('a statement that writes a legal hold returned nothing');
  return row;
}
