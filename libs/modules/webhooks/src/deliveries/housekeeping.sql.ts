import { statement, type SystemTx } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { Sealed } from '@holdfast/vault';
import type { SecretKeyring } from '../secrets/secret-keyring';
import { KEPT_DAYS } from './retention';

/** What one transaction deletes or cancels at most. */
const PAGE_MAX = 500;
const LANES_MAX = 100;

const LIST_TENANTS = statement<{ tenant_id: string }>(
  'webhooks.list_tenants',
  `with recursive walked (tenant_id) as (
     (select e.tenant_id from webhooks.endpoints e where e.tenant_id > $1 order by e.tenant_id limit 1)
     union all
     select (select e.tenant_id from webhooks.endpoints e where e.tenant_id > w.tenant_id order by e.tenant_id limit 1)
     from walked w
     where w.tenant_id is not null
   )
   select w.tenant_id from walked w where w.tenant_id is not null limit $2`,
);

/** Tenants behind `after` that have endpoints, in the order of their ids. */
export async function listTenantsWithWebhooks(tx: SystemTx, after: string, limit: number): Promise<string[]> {
  return (await tx.rows(LIST_TENANTS, [after, limit])).map((row) => row.tenant_id);
}

// What is under way is left to end: its sender writes down what came of it.
const LOCK_DEAD_LANES = statement<{ endpoint_id: string; stream: string }>(
  'webhooks.lock_dead_lanes',
  `select l.endpoint_id, l.stream
   from webhooks.lanes l
   join webhooks.endpoints e on e.tenant_id = $1 and e.id = l.endpoint_id
   where l.tenant_id = $1 and (e.disabled_at is not null or e.removed_at is not null)
     and (l.holder is null or l.due_at <= clock_timestamp())
   order by l.endpoint_id, l.stream
   limit $2
   for update of l skip locked`,
);

const CANCEL = statement(
  'webhooks.cancel_deliveries',
  `update webhooks.deliveries c
   set status = 'canceled', completed_at = clock_timestamp()
   where c.tenant_id = $1 and c.id = any (array(
     select d.id
     from unnest($2::uuid[], $3::text[]) t (endpoint_id, stream)
     join webhooks.deliveries d on d.tenant_id = $1 and d.endpoint_id = t.endpoint_id and d.stream = t.stream
     where d.status = 'pending'
     limit $4))`,
);

const CLOSE_EMPTY_LANES = statement(
  'webhooks.close_empty_lanes',
  `delete from webhooks.lanes l
   using unnest($2::uuid[], $3::text[]) t (endpoint_id, stream)
   where l.tenant_id = $1 and l.endpoint_id = t.endpoint_id and l.stream = t.stream and not exists (
     select from webhooks.deliveries d
     where d.tenant_id = $1 and d.endpoint_id = l.endpoint_id and d.stream = l.stream and d.status = 'pending')`,
);

/** Cancels a page of what waits for endpoints that are off or removed; answers how many lanes it has looked at. */
export async function cancelDeadDeliveries(tx: TenantTx): Promise<number> {
  const lanes = await tx.rows(LOCK_DEAD_LANES, [tx.tenantId, LANES_MAX]);
  if (lanes.length === 0) return 0;
  const named = [tx.tenantId, lanes.map((lane) => lane.endpoint_id), lanes.map(({ stream }) => stream)];
  await tx.execute(CANCEL, [...named, PAGE_MAX]);
  await tx.execute(CLOSE_EMPTY_LANES, named);
  return lanes.length;
}

const DELETE_OLD = statement(
  'webhooks.delete_old_deliveries',
  `delete from webhooks.deliveries c
   where c.tenant_id = $1 and c.id = any (array(
     select d.id
     from webhooks.endpoints e
     cross join lateral (
       select d.id from webhooks.deliveries d
       where d.tenant_id = $1 and d.endpoint_id = e.id and d.status <> 'pending'
         and d.created_at < clock_timestamp() - make_interval(days => $2)
       order by d.created_at
       limit $3
       for update skip locked
     ) d
     where e.tenant_id = $1
     limit $3))`,
);

// Five minutes after its removal: whoever listed it before, to put events behind, has long ended by then.
const DELETE_OF_REMOVED = statement(
  'webhooks.delete_deliveries_of_removed',
  `delete from webhooks.deliveries c
   where c.tenant_id = $1 and c.id = any (array(
     select d.id
     from webhooks.endpoints e
     join webhooks.deliveries d on d.tenant_id = $1 and d.endpoint_id = e.id
     where e.tenant_id = $1 and e.removed_at < clock_timestamp() - interval '5 minutes' and d.status <> 'pending'
     limit $2))`,
);

const DELETE_SECRETS = statement(
  'webhooks.delete_dead_secrets',
  `delete from webhooks.secrets s
   where s.tenant_id = $1 and (s.ends_at < clock_timestamp() or exists (
     select from webhooks.endpoints e
     where e.tenant_id = $1 and e.id = s.endpoint_id and e.removed_at < clock_timestamp() - interval '5 minutes'))`,
);

const DELETE_REMOVED = statement(
  'webhooks.delete_removed_endpoints',
  `delete from webhooks.endpoints e
   where e.tenant_id = $1 and e.removed_at < clock_timestamp() - interval '5 minutes'
     and not exists (select from webhooks.deliveries d where d.tenant_id = $1 and d.endpoint_id = e.id)
     and not exists (select from webhooks.lanes l where l.tenant_id = $1 and l.endpoint_id = e.id)`,
);

/** Deletes a page of what is kept no longer; answers how many rows that was. */
export async function deleteDead(tx: TenantTx): Promise<number> {
  const old = await tx.execute(DELETE_OLD, [tx.tenantId, KEPT_DAYS, PAGE_MAX]);
  const removed = await tx.execute(DELETE_OF_REMOVED, [tx.tenantId, PAGE_MAX]);
  const secrets = await tx.execute(DELETE_SECRETS, [tx.tenantId]);
  const endpoints = await tx.execute(DELETE_REMOVED, [tx.tenantId]);
  return old + removed + secrets + endpoints;
}

const LOCK_SEALED_OTHERWISE = statement<Sealed & { readonly id: string }>(
  'webhooks.lock_secrets_sealed_otherwise',
  `select id, key_id as "keyId", sealed
   from webhooks.secrets
   where tenant_id = $1 and key_id <> $2
   order by id
   limit 100
   for update skip locked`,
);

const RESEAL = statement(
  'webhooks.reseal_secret',
  'update webhooks.secrets set sealed = $3, key_id = $4 where tenant_id = $1 and id = $2',
);

/** Seals secrets anew that another key than the first has sealed; answers how many. Throws where that key is gone. */
export async function resealSecrets(tx: TenantTx, keyring: SecretKeyring): Promise<number> {
  const current = keyring.sealsWith;
  if (current === undefined) return 0;
  const found = await tx.rows(LOCK_SEALED_OTHERWISE, [tx.tenantId, current]);
  for (const { id, ...sealed } of found) {
    const anew = keyring.seal(keyring.open(sealed, tx.tenantId, id), tx.tenantId, id);
    await tx.execute(RESEAL, [tx.tenantId, id, anew.sealed, anew.keyId]);
  }
  return found.length;
}
