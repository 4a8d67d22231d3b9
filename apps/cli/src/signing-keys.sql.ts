import { type Database, statement, SystemTx } from '@holdfast/database';

const ROTATE = statement<{ id: string }>(
  'tenancy.rotate_signing_key',
  'select tenancy.rotate_signing_key() as id',
);

/** Starts to sign grants with a fresh key and answers its id. Grants of the old one live out their five minutes. */
export async function rotateSigningKey(ops: Database): Promise<string> {
  const [row] = await ops.transaction(
    (connection) => new SystemTx(connection),
    (tx) => tx.last(ROTATE),
  );
  if (!row) throw new Error('the rotation answered without a key');
  return row.id;
}
