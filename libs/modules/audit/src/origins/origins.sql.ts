import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** From where a request came, and what became of it. */
export interface Origin {
  readonly id: string;
  readonly requestId: string;
  readonly actor: string;
  readonly route: string;
  readonly status: number;
  readonly address: string;
  readonly userAgent: string | null;
  /** RFC 3339. */
  readonly answeredAt: string;
}

const INSERT = statement(
  'audit.insert_requests',
  `insert into audit.requests (tenant_id, id, request_id, actor, route, status, address, user_agent, answered_at)
   select $1, r.id, r.request_id, r.actor, r.route, r.status, r.address, r.user_agent, r.answered_at
   from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[], $8::text[], $9::timestamptz[])
     r (id, request_id, actor, route, status, address, user_agent, answered_at)
   on conflict (tenant_id, id) do nothing`,
);

// Twice as many as came: the table shrinks to what is less than 90 days old without a task of its own.
const FORGET = statement(
  'audit.forget_requests',
  `delete from audit.requests
   where tenant_id = $1 and answered_at < clock_timestamp() - interval '90 days'
     and id in (select id from audit.requests where tenant_id = $1 order by id limit $2)`,
);

// A client may give several requests one id: all are shown that were answered about then. Clocks of processes differ a little,
// and a request takes a minute at most.
const LIST = statement<Pick<Origin, 'route' | 'status' | 'address' | 'userAgent' | 'answeredAt'>>(
  'audit.list_origins',
  `select route, status, address, user_agent as "userAgent",
     to_char(answered_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "answeredAt"
   from audit.requests
   where tenant_id = $1 and request_id = $2 and actor = $3
     and answered_at between $4::timestamptz - interval '5 seconds' and $4::timestamptz + interval '65 seconds'
   order by answered_at
   limit 5`,
);

/** Stores origins, and forgets old ones. */
export async function insertOrigins(tx: TenantTx, origins: readonly Origin[]): Promise<void> {
  await tx.execute(INSERT, [
    tx.tenantId,
    origins.map(({ id }) => id),
    origins.map(({ requestId }) => requestId),
    origins.map(({ actor }) => actor),
    origins.map(({ route }) => route),
    origins.map(({ status }) => status),
    origins.map(({ address }) => address),
    origins.map(({ userAgent }) => userAgent),
    origins.map(({ answeredAt }) => answeredAt),
  ]);
  await tx.execute(FORGET, [tx.tenantId, 2 * origins.length]);
}

/** From where the actor's requests came that an event of this instant may be of: mostly one, at most five. */
export function listOrigins(
  tx: TenantTx,
  of: { readonly requestId: string; readonly actor: string; readonly occurredAt: string },
): Promise<Pick<Origin, 'route' | 'status' | 'address' | 'userAgent' | 'answeredAt'>[]> {
  return tx.rows(LIST, [tx.tenantId, of.requestId, of.actor, of.occurredAt]);
}
