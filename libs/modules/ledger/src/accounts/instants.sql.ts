import { InvalidInput } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

const IS_AHEAD = statement<{ is_ahead: boolean }>(
  'ledger.is_ahead',
  'select $1::timestamptz > ledger.clock() as is_ahead',
);

/**
 * Refuses an instant that has not come by the clock of the database: what was at it is not decided. Throws InvalidInput at
 * `/name`.
 */
export async function refuseFuture(tx: TenantTx, name: string, instant: string): Promise<void> {
  const row = await tx.row(IS_AHEAD, [instant]);
  if (row?.is_ahead === false) return;
  throw new InvalidInput([
    { pointer: `/${name}`, code: 'in_future', message: 'The instant has not come yet.' },
  ]);
}
