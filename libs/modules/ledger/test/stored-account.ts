import { newId } from '@holdfast/kernel';
import type { TestDatabase } from '@holdfast/testing';
import type { OpenAccountInput } from '../src/accounts/account';

/** Stores an account of the tenant without a command, and so without an event, for suites that count the events of others. */
export async function storeAccount(
  database: TestDatabase,
  tenantId: string,
  account: Partial<OpenAccountInput> = {},
): Promise<string> {
  const id = newId();
  const { code = id, asset = 'EUR/2', normalBalance = 'debit', limit = 'none' } = account;
  await database.admin(
    `insert into ledger.accounts (tenant_id, id, code, asset, normal_balance, limit_rule)
     values ($1, $2, $3, $4, $5, $6)`,
    [tenantId, id, code, asset, normalBalance, limit],
  );
  return id;
}
