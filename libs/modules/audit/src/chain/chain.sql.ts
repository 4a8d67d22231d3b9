import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** An event as it stands in a chain: without its payload. */
export interface ChainRow {
  readonly id: string;
  readonly type: string;
  readonly stream_type: string;
  readonly stream_id: string;
  readonly stream_version: bigint;
  readonly actor: string;
  readonly act: string | null;
  readonly correlation_id: string;
  readonly causation_id: string | null;
  readonly occurred_at: string;
}

// Up from the event to the first that has no cause, or whose cause is no event here. `depth` ends what points in a circle.
const ANCESTORS = statement<ChainRow>(
  'audit.list_ancestors',
  `with recursive up as (
     select e.id, e.type, e.stream_type, e.stream_id, e.stream_version, e.actor, e.act, e.correlation_id, e.causation_id,
       e.occurred_at, 0 as depth
     from events.log e
     where e.tenant_id = $1 and e.id = $2
     union all
     select e.id, e.type, e.stream_type, e.stream_id, e.stream_version, e.actor, e.act, e.correlation_id, e.causation_id,
       e.occurred_at, up.depth + 1
     from up
     join events.log e on e.tenant_id = $1 and e.id = case
       when up.causation_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then up.causation_id::uuid end
     where up.depth < $3
   )
   select id, type, stream_type, stream_id, stream_version, actor, act, correlation_id, causation_id,
     to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as occurred_at
   from up
   order by depth
   limit $3 + 1`,
);

// What a request caused directly has no cause among events; what came of that has.
const OF_REQUEST = statement<ChainRow>(
  'audit.list_chain_of_request',
  `select id, type, stream_type, stream_id, stream_version, actor, act, correlation_id, causation_id,
     to_char(occurred_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as occurred_at
   from events.log
   where tenant_id = $1 and correlation_id = $2 and (causation_id is null) = $3
   order by id
   limit $4`,
);

/** The event and those that led to it, the nearest first, at most `depth` of them. Empty where there is no such event. */
export function listAncestors(tx: TenantTx, id: string, depth: number): Promise<ChainRow[]> {
  return tx.rows(ANCESTORS, [tx.tenantId, id, depth]);
}

/** What stands in the log under the request: of what it caused itself, and of what followed from that, at most so many. */
export async function listOfRequest(tx: TenantTx, requestId: string, limit: number): Promise<ChainRow[]> {
  const parts = [false, true].map((isDirect) =>
    tx.rows(OF_REQUEST, [tx.tenantId, requestId, isDirect, limit]),
  );
  return (await Promise.all(parts)).flat();
}
