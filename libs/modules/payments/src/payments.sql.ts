import { statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';

/** The side of an account that something is booked on. */
export type Side = 'debit' | 'credit';

/** Which half it is. A saga that a tenant has begun under the id of a payment to it must not find that one's half for its own. */
export type Direction = 'outgoing' | 'incoming';

/** A side's half as the steps see it, locked. */
export interface LockedPayment {
  readonly counterpartyId: string;
  readonly amount: bigint;
  readonly asset: string;
  readonly side: Side | null;
  readonly holdId: string | null;
  readonly version: bigint;
}

/** What is written of a half when it begins. */
export interface NewPayment {
  readonly id: string;
  readonly direction: Direction;
  readonly counterpartyId: string;
  readonly accountId: string;
  readonly counterpartyAccountId?: string;
  readonly amount: string;
  readonly asset: string;
}

// Whoever comes second waits for the first, and finds the row there.
const INSERT = statement<{ readonly id: string }>(
  'payments.insert_payment',
  `insert into payments.payments (tenant_id, id, direction, counterparty_id, account_id, counterparty_account_id, amount, asset)
   values ($1, $2, $3, $4, $5, $6, $7, $8)
   on conflict (tenant_id, id) do nothing
   returning id`,
);

const LOCK = statement<LockedPayment>(
  'payments.lock_payment',
  `select counterparty_id as "counterpartyId", amount, asset, side, hold_id as "holdId", version
   from payments.payments
   where tenant_id = $1 and id = $2 and direction = $3
   for no key update`,
);

const MARK_HELD = statement<{ readonly id: string }>(
  'payments.mark_held',
  `update payments.payments set side = $3, hold_id = $4
   where tenant_id = $1 and id = $2 and counterparty_id = $5 and account_id = $6 and amount = $7 and asset = $8 and direction = $9
   returning id`,
);

const MARK_NOTED = statement(
  'payments.mark_noted',
  'update payments.payments set version = version + 1 where tenant_id = $1 and id = $2',
);

const MARK_POSTED = statement(
  'payments.mark_posted',
  `update payments.payments set posted_at = clock_timestamp(), version = version + 1 where tenant_id = $1 and id = $2`,
);

const MARK_ENDED = statement(
  'payments.mark_ended',
  `update payments.payments
   set status = $3, reason = $4, ended_at = clock_timestamp(), version = version + 1
   where tenant_id = $1 and id = $2`,
);

const MARK_RECEIVED = statement(
  'payments.mark_received',
  `update payments.payments
   set status = 'completed', posted_at = clock_timestamp(), ended_at = clock_timestamp(), version = version + 1
   where tenant_id = $1 and id = $2`,
);

const INSERT_CLEARING = statement(
  'payments.insert_clearing',
  `insert into payments.clearings (tenant_id, counterparty_id, asset, account_id, net)
   select a.tenant_id, $2, $3, a.id, a.posted_credits - a.posted_debits
   from ledger.accounts a
   where a.tenant_id = $1 and a.id = $4
   on conflict (tenant_id, counterparty_id, asset) do nothing`,
);

const ADD_TO_CLEARING = statement(
  'payments.add_to_clearing',
  `update payments.clearings set net = net + $4 where tenant_id = $1 and counterparty_id = $2 and asset = $3`,
);

const FIND_STATE = statement<{ readonly state: string }>(
  'payments.find_own_state',
  'select state from auth.own_tenant()',
);

/** A half says something else than its saga: somebody has written one of them by hand. */
class PaymentDiffers extends Error {
  override readonly name = 'PaymentDiffers';
}

/** Writes a half unless it is there; answers whether it was not. */
export async function insertPayment(tx: TenantTx, payment: NewPayment): Promise<boolean> {
  const { id, direction, counterpartyId, accountId, counterpartyAccountId = null, amount, asset } = payment;
  const values = [
    tx.tenantId,
    id,
    direction,
    counterpartyId,
    accountId,
    counterpartyAccountId,
    amount,
    asset,
  ];
  return (await tx.row(INSERT, values)) !== undefined;
}

/** The half of this tenant, locked, if it was begun. */
export function lockBegun(
  tx: TenantTx,
  id: string,
  direction: Direction = 'outgoing',
): Promise<LockedPayment | undefined> {
  return tx.row(LOCK, [tx.tenantId, id, direction]);
}

/** The half of this tenant, locked. */
export async function lockPayment(
  tx: TenantTx,
  id: string,
  direction: Direction = 'outgoing',
): Promise<LockedPayment> {
  const row = await lockBegun(tx, id, direction);
  if (!row) throw new Error(`tenant ${tx.tenantId} has no payment ${id}`);
  return row;
}

/** Keeps which hold it has, and on which side of the tenant's own account. What it holds has to be what the half was begun with. */
export async function markHeld(
  tx: TenantTx,
  half: Omit<NewPayment, 'counterpartyAccountId'>,
  side: Side,
  holdId: string,
): Promise<void> {
  const { id, counterpartyId, accountId, amount, asset, direction } = half;
  const values = [tx.tenantId, id, side, holdId, counterpartyId, accountId, amount, asset, direction];
  if (!(await tx.row(MARK_HELD, values))) throw new PaymentDiffers();
}

/** Counts an event of it that changes nothing else. */
export async function markNoted(tx: TenantTx, id: string): Promise<void> {
  await tx.execute(MARK_NOTED, [tx.tenantId, id]);
}

/** The payer's half is posted. */
export async function markPosted(tx: TenantTx, id: string): Promise<void> {
  await tx.execute(MARK_POSTED, [tx.tenantId, id]);
}

/** The payee's half is posted, and with it the payment has ended there. */
export async function markReceived(tx: TenantTx, id: string): Promise<void> {
  await tx.execute(MARK_RECEIVED, [tx.tenantId, id]);
}

/** How it has ended. */
export async function markEnded(
  tx: TenantTx,
  id: string,
  status: 'completed' | 'failed' | 'compensated',
  reason: string | null,
): Promise<void> {
  await tx.execute(MARK_ENDED, [tx.tenantId, id, status, reason]);
}

/** Notes the clearing account with another tenant, unless it is known. */
export async function insertClearing(
  tx: TenantTx,
  counterpartyId: string,
  asset: string,
  accountId: string,
): Promise<void> {
  await tx.execute(INSERT_CLEARING, [tx.tenantId, counterpartyId, asset, accountId]);
}

/** Adds what is posted on the clearing account: credits count, debits count against. Locks its row. */
export async function addToClearing(
  tx: TenantTx,
  counterpartyId: string,
  asset: string,
  credited: bigint,
): Promise<void> {
  await tx.execute(ADD_TO_CLEARING, [tx.tenantId, counterpartyId, asset, credited]);
}

/** Whether the transaction's tenant is open to its own people. */
export async function isActive(tx: TenantTx): Promise<boolean> {
  return (await tx.row(FIND_STATE, []))?.state === 'active';
}
