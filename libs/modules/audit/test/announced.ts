import { newId } from '@holdfast/kernel';
import type { TestDatabase } from '@holdfast/testing';
import type { TenantTx } from '@holdfast/tenancy';

/** Announces as many events in the transaction, each the first of a stream of its own. */
export async function announceIn(tx: TenantTx, count: number, payload = '{"note":"a"}'): Promise<string[]> {
  const ids = Array.from({ length: count }, () => newId());
  await tx.announce(
    ...ids.map((id) => ({
      id,
      type: 'probe.note.taken',
      schemaVersion: 1,
      streamType: 'probe.note',
      streamId: newId(),
      streamVersion: 1n,
      payload,
    })),
  );
  return ids;
}

/** Announces events of a tenant (a fresh one when none is named) in one transaction; answers the tenant. */
export async function announce(database: TestDatabase, count: number, tenantId = newId()): Promise<string> {
  const caller = await database.caller(tenantId);
  await database.tenants(1).transaction(caller, (tx) => announceIn(tx, count));
  return tenantId;
}
