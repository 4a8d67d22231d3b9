import { NotFound } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { WitnessPlace } from './witness';

const COUNT = statement<{ readonly count: number }>(
  'audit.count_witnesses',
  'select count(*)::int as count from audit.witnesses where tenant_id = $1',
);

const INSERT = statement<{ readonly created_at: Date; readonly created_by: string }>(
  'audit.insert_witness',
  `insert into audit.witnesses (tenant_id, id, verifier_key, url, created_by)
   values ($1, $2, $3, $4, tenancy.actor())
   on conflict (tenant_id, verifier_key) do nothing
   returning created_at, created_by`,
);

// Deleting is locking: of two who remove the same, one finds it gone.
const DELETE = statement<{ readonly verifier_key: string }>(
  'audit.delete_witness',
  'delete from audit.witnesses where tenant_id = $1 and id = $2 returning verifier_key',
);

const DELETE_OFFER = statement(
  'audit.delete_offer',
  'delete from audit.offers where tenant_id = $1 and witness = $2',
);

/** How many witnesses the tenant has added. */
export async function countWitnesses(tx: TenantTx): Promise<number> {
  return (await tx.row(COUNT, [tx.tenantId]))?.count ?? 0;
}

/** Stores a witness; undefined where there is one with its key. */
export function insertWitness(
  tx: TenantTx,
  id: string,
  { verifierKey, url }: WitnessPlace,
): Promise<{ readonly created_at: Date; readonly created_by: string } | undefined> {
  return tx.row(INSERT, [tx.tenantId, id, verifierKey, url]);
}

/** Removes a witness and what was to be offered to it, and answers its key. Throws NotFound. */
export async function deleteWitness(tx: TenantTx, id: string): Promise<string> {
  const row = await tx.row(DELETE, [tx.tenantId, id]);
  if (!row) throw new NotFound();
  await deleteOffer(tx, row.verifier_key);
  return row.verifier_key;
}

/** Ends what was to be offered to a witness. */
export async function deleteOffer(tx: TenantTx, verifierKey: string): Promise<void> {
  await tx.execute(DELETE_OFFER, [tx.tenantId, verifierKey]);
}
