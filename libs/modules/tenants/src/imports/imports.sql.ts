import { sqlState, statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import { TenantNotEmpty } from '../tenants.errors';

const BEGIN = statement('tenants.begin_import', 'select tenancy.begin_import($1)');
const PAGE = statement<{ stored: bigint }>(
  'tenants.import_page',
  'select tenancy.import_page($1, $2) as stored',
);
const FINISH = statement('tenants.finish_import', 'select tenancy.finish_import($1)');

/** SQLSTATE for a tenant that has something of its own, or of another export. */
const NOT_EMPTY = 'HF022';

async function refusingFull<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw sqlState(error) === NOT_EMPTY ? new TenantNotEmpty() : error;
  }
}

/** Opens the tenant for the export with this digest, or goes on with it. Throws TenantNotEmpty. */
export async function beginImport(tx: TenantTx, sha256: string): Promise<void> {
  await refusingFull(tx.execute(BEGIN, [sha256]));
}

/** Stores rows of a table and answers how many were not there already. */
export async function importPage(tx: TenantTx, table: string, lines: readonly string[]): Promise<bigint> {
  return (await tx.row(PAGE, [table, lines]))?.stored ?? 0n;
}

/** Closes the tenant to further rows. Throws TenantNotEmpty where it was not opened for this export. */
export async function finishImport(tx: TenantTx, sha256: string): Promise<void> {
  await refusingFull(tx.execute(FINISH, [sha256]));
}
