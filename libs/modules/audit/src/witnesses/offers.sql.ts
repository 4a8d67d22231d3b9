import { statement, type SystemTx } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** Something that a witness has not cosigned yet, as far as one can tell without looking. */
export interface DueOffer {
  readonly tenantId: string;
  /** The verifier key. */
  readonly witness: string;
}

// Of a tenant's head that is newer than the last one whose checkpoint was cosigned something is sealed or about to be. Those
// that have waited longest come first, so that a page that is cut off is of others the next time.
const LIST_DUE = statement<DueOffer>(
  'audit.list_due_offers',
  `select d.tenant_id as "tenantId", d.witness
   from (
     select h.tenant_id, h.tick, k.witness from events.heads h cross join unnest($1::text[]) k (witness)
     union all
     select h.tenant_id, h.tick, w.verifier_key from audit.witnesses w join events.heads h on h.tenant_id = w.tenant_id
   ) d
   left join audit.offers o on o.tenant_id = d.tenant_id and o.witness = d.witness
   where d.tenant_id <> all ($2::uuid[])
     and (o.tenant_id is null
       or (o.tick < d.tick and o.due_at <= clock_timestamp()
         and (o.lease_until is null or o.lease_until < clock_timestamp())))
   order by o.due_at nulls first
   limit $3`,
);

/** How long the longest has waited, of the configured witnesses and of those of tenants. */
export interface WaitingOffers {
  readonly is_configured: boolean;
  readonly seconds: number;
}

const COUNT_WAITING = statement<WaitingOffers>(
  'audit.count_waiting_offers',
  `select w.is_configured, extract(epoch from clock_timestamp() - min(w.waiting_since))::float8 as seconds
   from (
     select o.tenant_id, o.waiting_since, o.witness = any ($1) as is_configured
     from audit.offers o
     where o.waiting_since is not null
   ) w
   group by w.is_configured
   limit 2`,
);

// Claimed in one statement, whether the row is there or not: of two workers one gets it back.
const CLAIM = statement<{ readonly failures: number }>(
  'audit.claim_offer',
  `insert into audit.offers as o (tenant_id, witness, holder, lease_until)
   values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4))
   on conflict (tenant_id, witness) do update
   set holder = excluded.holder, lease_until = excluded.lease_until
   where o.due_at <= clock_timestamp() and (o.lease_until is null or o.lease_until < clock_timestamp())
   returning o.failures`,
);

/** What there is to offer to a witness, in the hands of a worker. */
export interface Offerable {
  /** Of a witness of the tenant's own; null for one that is configured, or was removed. */
  readonly url: string | null;
  /** Null while nothing is sealed. */
  readonly epoch: number | null;
  readonly size: bigint | null;
  readonly note: string | null;
  /** Of what the witness cosigned last of this epoch; 0 for nothing. */
  readonly known_size: bigint;
  /** How far the log is sealed where the checkpoint is of all leaves there are; else null. */
  readonly tick: bigint | null;
}

const FIND = statement<Offerable>(
  'audit.find_offerable',
  `select w.url, c.epoch, c.size, c.note, coalesce(s.size, 0) as known_size,
     case when t.epoch = c.epoch and t.size = c.size then t.tick end as tick
   from (values (1)) one (row)
   left join lateral (
     select n.epoch, n.size, n.note from audit.checkpoints n
     where n.tenant_id = $1
     order by n.epoch desc, n.hour desc
     limit 1
   ) c on true
   left join audit.trees t on t.tenant_id = $1
   left join audit.witnesses w on w.tenant_id = $1 and w.verifier_key = $2
   left join audit.cosignatures s on s.tenant_id = $1 and s.epoch = c.epoch and s.witness = $2`,
);

const UPSERT_COSIGNATURE = statement(
  'audit.upsert_cosignature',
  `insert into audit.cosignatures as s (tenant_id, epoch, witness, size, note, signatures, cosigned_at)
   values ($1, $2, $3, $4, $5, $6, to_timestamp($7::float8))
   on conflict (tenant_id, epoch, witness) do update
   set size = excluded.size, note = excluded.note, signatures = excluded.signatures, cosigned_at = excluded.cosigned_at
   where s.size <= excluded.size`,
);

const MARK_COSIGNED = statement(
  'audit.mark_offer_cosigned',
  `update audit.offers
   set tick = coalesce($4, tick), due_at = clock_timestamp() + make_interval(secs => $5), holder = null, lease_until = null,
     failures = 0, outcome = 'cosigned', tried_at = clock_timestamp(), waiting_since = null
   where tenant_id = $1 and witness = $2 and holder = $3`,
);

const MARK_FAILED = statement(
  'audit.mark_offer_failed',
  `update audit.offers
   set due_at = clock_timestamp() + make_interval(secs => $5), holder = null, lease_until = null, failures = failures + 1,
     outcome = $4, tried_at = clock_timestamp(), waiting_since = coalesce(waiting_since, clock_timestamp())
   where tenant_id = $1 and witness = $2 and holder = $3`,
);

const POSTPONE = statement(
  'audit.postpone_offer',
  `update audit.offers
   set due_at = clock_timestamp() + make_interval(secs => $4), holder = null, lease_until = null
   where tenant_id = $1 and witness = $2 and holder = $3`,
);

/** Offers that may be due, to the configured witnesses and to tenants' own, of all tenants but those that are closed. */
export function listDueOffers(
  tx: SystemTx,
  configured: readonly string[],
  closed: readonly string[],
  limit: number,
): Promise<DueOffer[]> {
  return tx.rows(LIST_DUE, [configured, closed, limit]);
}

/** How long witnesses have not cosigned, over all tenants. */
export function countWaitingOffers(tx: SystemTx, configured: readonly string[]): Promise<WaitingOffers[]> {
  return tx.rows(COUNT_WAITING, [configured]);
}

/** Takes an offer, and answers how often it has failed in a row; undefined when it is not due or in other hands. */
export async function claimOffer(
  tx: TenantTx,
  witness: string,
  holder: string,
  leaseSeconds: number,
): Promise<number | undefined> {
  return (await tx.row(CLAIM, [tx.tenantId, witness, holder, leaseSeconds]))?.failures;
}

/** What there is to offer. */
export async function findOfferable(tx: TenantTx, witness: string): Promise<Offerable> {
  const row = await tx.row(FIND, [tx.tenantId, witness]);
  if (!row) throw new Error('a statement that always has a row had none');
  return row;
}

/** A checkpoint with what a witness added to it. */
export interface Cosigned {
  readonly epoch: number;
  readonly size: number;
  readonly note: string;
  /** Lines of a note. */
  readonly signatures: string;
  /** In seconds since 1970, as the witness says. */
  readonly cosignedAt: number;
}

/** Stores what a witness has cosigned, unless it has cosigned more. */
export async function upsertCosignature(tx: TenantTx, witness: string, cosigned: Cosigned): Promise<void> {
  const { epoch, size, note, signatures, cosignedAt } = cosigned;
  await tx.execute(UPSERT_COSIGNATURE, [tx.tenantId, epoch, witness, size, note, signatures, cosignedAt]);
}

/** Ends an offer that was cosigned; `tick` is how far the log was sealed, null where more leaves wait to be signed. */
export async function markOfferCosigned(
  tx: TenantTx,
  held: { readonly witness: string; readonly holder: string },
  tick: bigint | null,
  waitSeconds: number,
): Promise<void> {
  await tx.execute(MARK_COSIGNED, [tx.tenantId, held.witness, held.holder, tick, waitSeconds]);
}

/** Ends an offer that was not cosigned. */
export async function markOfferFailed(
  tx: TenantTx,
  held: { readonly witness: string; readonly holder: string },
  outcome: string,
  waitSeconds: number,
): Promise<void> {
  await tx.execute(MARK_FAILED, [tx.tenantId, held.witness, held.holder, outcome, waitSeconds]);
}

/** Gives an offer back that there was nothing for. */
export async function postponeOffer(
  tx: TenantTx,
  held: { readonly witness: string; readonly holder: string },
  waitSeconds: number,
): Promise<void> {
  await tx.execute(POSTPONE, [tx.tenantId, held.witness, held.holder, waitSeconds]);
}
