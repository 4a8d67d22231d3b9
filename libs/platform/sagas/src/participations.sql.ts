import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** A step that was done in the transaction's tenant for a saga of another. */
export interface Participation {
  readonly state: 'completed' | 'compensated' | 'cancelled';
  readonly result: unknown;
  readonly version: bigint;
  /** Whether it was done for a saga of the same id that is not the one that asks: ids of sagas are unique in their tenants only. */
  readonly isOfAnother: boolean;
}

// Whoever comes second waits here for the first one's transaction.
const INSERT = statement<{ readonly id: string }>(
  'sagas.insert_participation',
  `insert into sagas.participations (tenant_id, id, saga_id, name, step, state, owner_key)
   values ($1, $2, $3, $4, $5, $6, $7)
   on conflict (tenant_id, id) do nothing
   returning id`,
);

const LOCK = statement<Participation>(
  'sagas.lock_participation',
  `select state, result, version, coalesce(owner_key <> $3, false) as "isOfAnother"
   from sagas.participations
   where tenant_id = $1 and id = $2
   for no key update`,
);

const SET_RESULT = statement(
  'sagas.set_participation_result',
  'update sagas.participations set result = $3 where tenant_id = $1 and id = $2',
);

const MARK_COMPENSATED = statement(
  'sagas.mark_participation_compensated',
  "update sagas.participations set state = 'compensated', version = version + 1 where tenant_id = $1 and id = $2",
);

/** Which step of which saga. */
export interface ParticipationKey {
  readonly id: string;
  readonly sagaId: string;
  /** Follows from the saga and its tenant, and does not tell which that is. */
  readonly ownerKey: string;
  readonly name: string;
  readonly step: string;
}

/** Writes the record unless there is one; then it is answered, locked. */
export async function claimParticipation(
  tx: TenantTx,
  { id, sagaId, ownerKey, name, step }: ParticipationKey,
  state: 'completed' | 'cancelled',
): Promise<Participation | undefined> {
  if (await tx.row(INSERT, [tx.tenantId, id, sagaId, name, step, state, ownerKey])) return undefined;
  return tx.row(LOCK, [tx.tenantId, id, ownerKey]);
}

/** Keeps what the step has answered. */
export async function setParticipationResult(tx: TenantTx, id: string, result: unknown): Promise<void> {
  await tx.execute(SET_RESULT, [tx.tenantId, id, JSON.stringify(result)]);
}

/** Says that what was done is taken back. */
export async function markParticipationCompensated(tx: TenantTx, id: string): Promise<void> {
  await tx.execute(MARK_COMPENSATED, [tx.tenantId, id]);
}
