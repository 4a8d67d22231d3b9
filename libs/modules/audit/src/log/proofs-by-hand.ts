import type { Caller } from '@holdfast/kernel';
import { Readings, Tallies } from '@holdfast/cqrs';
import type { TenantDatabase } from '@holdfast/tenancy';
import { getCheckpoint } from './checkpoint.query';
import { findProof } from './event-proof.query';
import { type CheckpointView, type ProofView, showCheckpoint, showProof } from './log-views';
import { proofFile } from './proof-file';

/** The proof of an event, in parts and as the file that stands by itself. */
export interface ProofByHand extends ProofView {
  readonly file: string;
}

/**
 * The proof of an event for whoever sits at the command line, in a role that reads; the reading is recorded. Throws NotFound,
 * NotSealed, EventAltered.
 */
export async function proveEventByHand(
  tenants: TenantDatabase,
  caller: Caller,
  id: string,
): Promise<ProofByHand> {
  const proof = await findProof(tenants, caller, { id });
  await new Readings(new Tallies(tenants)).record(caller, { what: 'proof', of: [id] });
  return { ...showProof(proof), file: proofFile(proof) };
}

/** The newest checkpoint of the tenant's log, for the same; the reading is recorded. Throws NotSealed. */
export async function checkpointByHand(tenants: TenantDatabase, caller: Caller): Promise<CheckpointView> {
  const checkpoint = await tenants.reading(caller, (tx) => getCheckpoint(tx, {}));
  await new Readings(new Tallies(tenants)).record(caller, { what: 'checkpoint' });
  return showCheckpoint(checkpoint);
}
