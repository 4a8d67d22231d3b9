import { statement, type SystemTx } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import type { Acting } from './operator-groups.sql';

/** A key that a group has set aside for a tenant. */
export interface ParkedKeyView {
  readonly tenantId: string;
  readonly group: string;
  readonly key: string;
  /** `retrying` by itself; `quarantined` until an operator releases it; `releasing` since one has. */
  readonly state: 'retrying' | 'quarantined' | 'releasing';
  readonly attempts: number;
  /** Events that wait behind the key, the failed one included. */
  readonly eventCount: bigint;
  /** The event that failed when it was delivered alone, once that is known. */
  readonly failedEventId: string | null;
  readonly lastError: string | null;
  readonly parkedAt: Date;
  readonly retryAt: Date | null;
}

const RELEASE = statement<{ eventCount: bigint; failedEventId: string | null }>(
  'events.release_parked_key',
  `update events.parked_keys
   set state = 'releasing', attempts = 0, retry_at = clock_timestamp(), quarantined_at = null,
     skip_event_id = case when $4 then failed_event_id end, released_at = clock_timestamp(), released_by = $5,
     released_reason = $6
   where tenant_id = $1 and group_name = $2 and key = $3 and state = 'quarantined'
   returning event_count as "eventCount", failed_event_id as "failedEventId"`,
);

/**
 * Lets a quarantined key go on in order, its failed event first or, with `isSkipping`, without it. It is delivered within
 * about a second; when an event fails, the key is quarantined again. Undefined when no such key is quarantined.
 */
export function releaseParkedKey(
  tx: TenantTx,
  group: string,
  key: string,
  { isSkipping, actor, reason }: Acting & { readonly isSkipping: boolean },
): Promise<{ readonly eventCount: bigint; readonly failedEventId: string | null } | undefined> {
  return tx.row(RELEASE, [tx.tenantId, group, key, isSkipping, actor, reason]);
}

const LIST = statement<ParkedKeyView>(
  'events.list_parked_keys',
  `select tenant_id as "tenantId", group_name as "group", key, state, attempts, event_count as "eventCount",
     failed_event_id as "failedEventId", last_error as "lastError", parked_at as "parkedAt", retry_at as "retryAt"
   from events.parked_keys
   where ($1::text is null or group_name = $1) and ($2::uuid is null or tenant_id = $2) and ($3::text is null or state = $3)
     and ($4::text is null or (group_name, tenant_id, key) > ($4, $5::uuid, $6))
   order by group_name, tenant_id, key
   limit $7`,
);

/** Which parked keys are meant; all where nothing is said. */
export interface ParkedKeysAsked {
  readonly group?: string | undefined;
  readonly tenantId?: string | undefined;
  readonly state?: ParkedKeyView['state'] | undefined;
  /** The last of the page before. */
  readonly after?: Pick<ParkedKeyView, 'group' | 'tenantId' | 'key'> | undefined;
}

/** A page of parked keys of all tenants, for the operator's role. */
export function listParkedKeys(
  tx: SystemTx,
  { group, tenantId, state, after }: ParkedKeysAsked,
  limit: number,
): Promise<ParkedKeyView[]> {
  const values = [group, tenantId, state, after?.group, after?.tenantId, after?.key].map(
    (value) => value ?? null,
  );
  return tx.rows(LIST, [...values, limit]);
}
