import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** A row of audit.subject_erasures. */
export interface SubjectErasureRow {
  readonly related: readonly string[];
  readonly status: 'erasing' | 'erased';
  readonly requested_by: string;
  readonly requested_at: Date;
  readonly erased_at: Date | null;
  readonly stream_version: bigint;
}

const LOCK = statement<SubjectErasureRow>(
  'audit.lock_subject_erasure',
  `select related, status, requested_by, requested_at, erased_at, stream_version
   from audit.subject_erasures
   where tenant_id = $1 and subject = $2
   for no key update`,
);

const FIND = statement<SubjectErasureRow>(
  'audit.find_subject_erasure',
  `select related, status, requested_by, requested_at, erased_at, stream_version
   from audit.subject_erasures
   where tenant_id = $1 and subject = $2`,
);

const BEGIN = statement<SubjectErasureRow>(
  'audit.begin_subject_erasure',
  `insert into audit.subject_erasures as e (tenant_id, subject, related, status)
   values ($1, $2, $3, 'erasing')
   on conflict (tenant_id, subject) do update
   set related = excluded.related, status = 'erasing', requested_by = tenancy.actor(), requested_at = clock_timestamp(),
     erased_at = null, stream_version = e.stream_version + 1
   returning related, status, requested_by, requested_at, erased_at, stream_version`,
);

const FINISH = statement<SubjectErasureRow>(
  'audit.finish_subject_erasure',
  `update audit.subject_erasures
   set status = 'erased', erased_at = clock_timestamp(), stream_version = stream_version + 1
   where tenant_id = $1 and subject = $2 and status = 'erasing'
   returning related, status, requested_by, requested_at, erased_at, stream_version`,
);

const FIND_UNDER_WAY = statement<{ readonly subject: string }>(
  'audit.find_erasure_under_way',
  `select subject
   from audit.subject_erasures
   where tenant_id = $1 and status = 'erasing' and ($2::uuid is null or subject = $2 or $2 = any(related))
   limit 1`,
);

const COUNT_VALUES = statement<{ readonly value_count: bigint; readonly event_count: bigint }>(
  'audit.count_values_of_subject',
  `select count(*) as value_count, count(distinct event_id) as event_count
   from audit.disclosures
   where tenant_id = $1 and subject = any($2::uuid[])`,
);

/** The erasure of the subject, locked until the transaction ends. */
export function lockSubjectErasure(tx: TenantTx, subject: string): Promise<SubjectErasureRow | undefined> {
  return tx.row(LOCK, [tx.tenantId, subject]);
}

/** The erasure of the subject. */
export function findSubjectErasure(tx: TenantTx, subject: string): Promise<SubjectErasureRow | undefined> {
  return tx.row(FIND, [tx.tenantId, subject]);
}

/** Stores that an erasure was ordered, once more where there was one before. */
export async function beginSubjectErasure(
  tx: TenantTx,
  subject: string,
  related: readonly string[],
): Promise<SubjectErasureRow> {
  const row = await tx.row(BEGIN, [tx.tenantId, subject, related]);
  if (!row) throw new Error('the order of an erasure returned nothing');
  return row;
}

/** Stores that an erasure is done; undefined where it is not under way. */
export function finishSubjectErasure(tx: TenantTx, subject: string): Promise<SubjectErasureRow | undefined> {
  return tx.row(FINISH, [tx.tenantId, subject]);
}

/** Whether the subject, or with null anybody of the tenant, is being erased. */
export async function isBeingErased(tx: TenantTx, subject: string | null): Promise<boolean> {
  return (await tx.row(FIND_UNDER_WAY, [tx.tenantId, subject])) !== undefined;
}

/** How many values of how many events the vault keeps of the subjects. */
export async function countValues(
  tx: TenantTx,
  subjects: readonly string[],
): Promise<{ readonly values: number; readonly events: number }> {
  const row = await tx.row(COUNT_VALUES, [tx.tenantId, subjects]);
  return { values: Number(row?.value_count ?? 0n), events: Number(row?.event_count ?? 0n) };
}
