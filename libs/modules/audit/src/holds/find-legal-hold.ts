import type { TenantTx } from '@holdfast/tenancy';
import { hasLegalHold } from './legal-holds.sql';

/** Why the tenant cannot be erased now, in words for the operator; undefined where no legal hold keeps it, or anybody in it. */
export async function findLegalHold(tx: TenantTx): Promise<string | undefined> {
  return (await hasLegalHold(tx)) ? 'a legal hold keeps it: the tenant has to lift it first' : undefined;
}
