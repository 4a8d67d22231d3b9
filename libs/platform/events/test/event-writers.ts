import { newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { TestDatabase } from '@holdfast/testing';

const XID = statement('test.take_xid', 'select pg_current_xact_id()::text');
const LOCK = statement(
  'test.lock_keys',
  'select 1 from probe.keys where tenant_id = $1 and key = any ($2::uuid[]) order by key for no key update',
);
const NEXT = statement<{ key: string; version: bigint }>(
  'test.next_versions',
  `update probe.keys set version = version + 1 where tenant_id = $1 and key = any ($2::uuid[])
   returning key, version`,
);

/** Creates the table whose rows are the keys that writers lock; its rows belong to no product table. */
export async function prepareKeys(
  database: TestDatabase,
  tenantId: string,
  keys: readonly string[],
): Promise<void> {
  await database.admin(`create schema if not exists probe`);
  await database.admin(
    'create table if not exists probe.keys (tenant_id uuid, key uuid, version bigint not null default 0, primary key (tenant_id, key))',
  );
  await database.admin('grant usage on schema probe to holdfast_app');
  await database.admin('grant select, insert, update on probe.keys to holdfast_app');
  await database.admin('insert into probe.keys (tenant_id, key) select $1, unnest($2::uuid[])', [
    tenantId,
    keys,
  ]);
}

/** Gives the transaction its xid without locking anything. */
export async function takeXid(tx: TenantTx): Promise<void> {
  await tx.rows(XID);
}

/** Locks the keys in order, then appends one event each, whose stream version is the key's real order. */
export async function appendUnderLock(tx: TenantTx, keys: readonly string[]): Promise<string[]> {
  await tx.rows(LOCK, [tx.tenantId, keys]);
  const versions = await tx.rows(NEXT, [tx.tenantId, keys]);
  await tx.announce(
    ...versions.map(({ key, version }) => ({
      id: newId(),
      type: 'probe.key.moved',
      schemaVersion: 1,
      streamType: 'probe.key',
      streamId: key,
      streamVersion: version,
      payload: '{}',
    })),
  );
  return versions.map(({ key, version }) => `${key}/${version}`);
}
