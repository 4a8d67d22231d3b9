import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

const NEXT = statement<{ version: bigint }>(
  'delivery.next_stream_version',
  `select coalesce(max(stream_version), 0) + 1 as version
   from events.log
   where tenant_id = $1 and stream_type = $2 and stream_id = $3`,
);

const ANY = statement<{ found: boolean }>(
  'delivery.has_events',
  'select exists (select from events.log where tenant_id = $1) as found',
);

/** The next version of a stream that has no row of its own; the caller holds the lock of what it is about. */
export async function nextVersionOf(tx: TenantTx, streamType: string, streamId: string): Promise<bigint> {
  return (await tx.row(NEXT, [tx.tenantId, streamType, streamId]))?.version ?? 1n;
}

/** Whether the tenant has any events: its creation is the first. */
export async function hasEvents(tx: TenantTx): Promise<boolean> {
  return (await tx.row(ANY, [tx.tenantId]))?.found ?? false;
}
