import { hostname } from 'node:os';
import { type Database, statement, SystemTx } from '@holdfast/database';

const REGISTER = statement<{ readonly entry: string }>(
  'auth.register_receipt_key',
  'select auth.register_receipt_key($1, make_interval(secs => $2), $3) as entry',
);

/** Registers the public key of this process, and answers its entry: good for so many seconds from here on, over the pool that mints grants. */
export async function registerReceiptKey(
  auth: Database,
  publicKey: Buffer,
  lifetimeSeconds: number,
): Promise<string> {
  const [row] = await auth.transaction(
    (connection) => new SystemTx(connection),
    (tx) => tx.rows(REGISTER, [publicKey, lifetimeSeconds, `${hostname()} ${process.pid}`]),
  );
  return row?.entry ?? '';
}
