import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

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
     skip_event_id = case when $4 then failed_event_id end
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
  isSkipping: boolean,
): Promise<{ readonly eventCount: bigint; readonly failedEventId: string | null } | undefined> {
  return tx.row(RELEASE, [tx.tenantId, group, key, isSkipping]);
}
