import { statement } from '@holdfast/database';
import { committedEventOfRow, type LoggedEventRow, type TenantTx } from '@holdfast/tenancy';

/** Where an answer is stored: one key per actor and kind of request. */
export interface AnswerKey {
  readonly actor: string;
  readonly route: string;
  readonly key: string;
}

interface AnswerRow {
  readonly request_hash: Buffer;
  readonly refused: boolean;
  readonly body: unknown;
  /** The ids of the events that the request committed; null where there was none. */
  readonly events: readonly string[] | null;
}

// Waits for a transaction that holds the same key, at most lock_timeout: its commit makes this insert nothing.
const CLAIM = statement<{ claimed: boolean }>(
  'idempotency.claim_answer',
  `insert into idempotency.answers (tenant_id, actor, route, key, request_hash)
   values ($1, $2, $3, $4, $5)
   on conflict (tenant_id, actor, route, key) do nothing
   returning true as claimed`,
);

// The lock makes this transaction one that writes, whose commit waits for a synchronous standby. Without it an answer could
// be repeated as final that is on this server alone: somebody may have cancelled the first one's wait for the standby.
const FIND = statement<AnswerRow>(
  'idempotency.find_answer',
  `select request_hash, refused, body, events
   from idempotency.answers
   where tenant_id = $1 and actor = $2 and route = $3 and key = $4
   for key share`,
);

const STORE = statement(
  'idempotency.store_answer',
  `update idempotency.answers set refused = $5, body = $6, events = $7
   where tenant_id = $1 and actor = $2 and route = $3 and key = $4`,
);

const LIST_EVENTS = statement<LoggedEventRow>(
  'idempotency.list_events',
  `select id, type, stream_type, stream_id, stream_version, data::text as data
   from events.log
   where tenant_id = $1 and id = any ($2::uuid[])
   order by seq
   limit 10000`,
);

// Two for each one that is stored: the table shrinks to what is less than a day old without a task of its own.
const PURGE = statement(
  'idempotency.purge_answers',
  `delete from idempotency.answers
   where tenant_id = $1 and (actor, route, key) in (
     select actor, route, key from idempotency.answers
     where tenant_id = $1 and created_at < clock_timestamp() - interval '25 hours'
     order by created_at
     limit 2
     for update skip locked)`,
);

/** Takes the key for this transaction; false when an answer is stored already. */
export async function claimAnswer(
  tx: TenantTx,
  { actor, route, key }: AnswerKey,
  requestHash: Buffer,
): Promise<boolean> {
  return (await tx.row(CLAIM, [tx.tenantId, actor, route, key, requestHash])) !== undefined;
}

/** The stored answer. */
export function findAnswer(tx: TenantTx, { actor, route, key }: AnswerKey): Promise<AnswerRow | undefined> {
  return tx.row(FIND, [tx.tenantId, actor, route, key]);
}

/** Stores the answer of a claimed key with the events that the transaction has so far, and removes old ones. */
export async function storeAnswer(
  tx: TenantTx,
  { actor, route, key }: AnswerKey,
  refused: boolean,
  body: string,
): Promise<void> {
  const ids = tx.events.flatMap(({ id }) => id ?? []);
  const events = ids.length > 0 ? JSON.stringify(ids) : null;
  await Promise.all([
    tx.execute(STORE, [tx.tenantId, actor, route, key, refused, body, events]),
    tx.execute(PURGE, [tx.tenantId]),
  ]);
}

/** Notes for the receipt of a replay what the log has of the events that the first request committed. */
export async function noteAgain(tx: TenantTx, ids: readonly string[]): Promise<void> {
  if (!tx.caller.committed || ids.length === 0) return;
  tx.noteEvents((await tx.rows(LIST_EVENTS, [tx.tenantId, ids])).map(committedEventOfRow));
}
