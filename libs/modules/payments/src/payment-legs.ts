import { deterministicId, newId } from '@holdfast/kernel';
import { normalSideOf, openOwnedAccount, type PostedItem, postInTransaction } from '@holdfast/ledger';
import { ParticipantRefused } from '@holdfast/sagas';
import { announcement, TenantSuspended, type TenantTx } from '@holdfast/tenancy';
import { z } from 'zod';
import { PAYEE_REFUSED } from './payments.errors';
import {
  paymentAccepted,
  paymentCompensated,
  paymentCompleted,
  paymentDecided,
  paymentFailed,
  paymentRequested,
  paymentSent,
} from './payments.events';
import {
  addToClearing,
  type Direction,
  insertClearing,
  insertPayment,
  isActive,
  type LockedPayment,
  lockBegun,
  lockPayment,
  markEnded,
  markHeld,
  markNoted,
  markPosted,
  markReceived,
  type Side,
} from './payments.sql';

/** The name of the grants under which clearing accounts are booked on, and of the saga's module. */
export const OWNER = 'payments';

const OWN_REASONS = new Set<string | null>(['sagas.cancelled', 'sagas.timed_out', 'sagas.process_lost']);

/** What the saga of a payment begins with; amounts are decimal digits, since it is kept as JSON. */
export const paymentInput = z.strictObject({
  fromAccountId: z.guid(),
  toTenantId: z.guid(),
  toAccountId: z.guid(),
  amount: z.string().regex(/^[1-9][0-9]{0,18}$/),
  asset: z.string(),
});
/** Who pays what to whom. */
export type PaymentInput = z.output<typeof paymentInput>;

/** What a leg is about. */
interface Leg {
  readonly paymentId: string;
  readonly input: PaymentInput;
}

/** The payer's row, unless it is there: whoever asks for a payment over the API writes it with the saga. */
export async function request(tx: TenantTx, { paymentId, input }: Leg): Promise<void> {
  const { fromAccountId, toTenantId, toAccountId, asset, amount } = input;
  const isFresh = await insertPayment(tx, {
    ...{ id: paymentId, direction: 'outgoing', counterpartyId: toTenantId, accountId: fromAccountId },
    ...{ counterpartyAccountId: toAccountId, amount, asset },
  });
  if (isFresh) await tx.announce(announcement(paymentRequested, { id: paymentId, version: 1n }, input));
}

/** Why a saga turned back, and what its steps have answered: of those that are done, each has something here. */
interface TurnedBack {
  readonly sagaId: string;
  readonly reason: string | null;
  readonly results: unknown;
}

/** Whether a step is done, or was before it was compensated. */
export function isDone({ results }: Pick<TurnedBack, 'results'>, step: string): boolean {
  return Object.hasOwn(Object(results) as object, step);
}

/** Ends the payer's row, if there is one: nothing of the payment is left. */
export async function giveUp(tx: TenantTx, turnedBack: TurnedBack): Promise<void> {
  const { sagaId: paymentId, reason } = turnedBack;
  const begun = await lockBegun(tx, paymentId);
  if (!begun) return;
  const { holdId, version } = begun;
  // Of what is asked of the payee only a cancellation, the deadline and a process that was lost are the payer's own.
  const isTheirs = holdId !== null && !isDone(turnedBack, 'hold_for_payee') && !OWN_REASONS.has(reason);
  const code = isTheirs ? PAYEE_REFUSED : reason;
  await markEnded(tx, paymentId, holdId === null ? 'failed' : 'compensated', code);
  const type = holdId === null ? paymentFailed : paymentCompensated;
  await tx.announce(announcement(type, { id: paymentId, version: version + 1n }, { code }));
}

/** Holds the amount between the payer's account and its clearing account; answers the side of the account. */
export async function holdForPayer(
  tx: TenantTx,
  { paymentId, input }: Leg,
): Promise<{ readonly side: Side }> {
  const { fromAccountId, toTenantId, asset } = input;
  const side = await payingSideOf(tx, fromAccountId, asset);
  const direction = 'outgoing';
  await hold(tx, { paymentId, input, direction, counterpartyId: toTenantId, accountId: fromAccountId, side });
  return { side };
}

/**
 * Holds the amount between the payee's clearing account and its account, the other way round than on the payer's side, so that the two
 * clearing accounts cancel each other out. What it refuses with the payer is not told.
 */
export async function holdForPayee(
  tx: TenantTx,
  { paymentId, input }: Leg,
  payer: { readonly tenantId: string; readonly side: Side },
): Promise<void> {
  const { toAccountId: accountId, asset, amount } = input;
  const { tenantId: fromTenantId } = payer;
  const side = opposite(payer.side);
  // A debit of one's own account and a credit of the other's, or the reverse, are one payment only where both go by the same side.
  const isAccepted = (await isActive(tx)) && (await normalSideOf(tx, accountId, asset)) === side;
  if (!isAccepted) throw new ParticipantRefused();
  const half = { direction: 'incoming', counterpartyId: fromTenantId, accountId } as const;
  await insertPayment(tx, { id: paymentId, ...half, amount, asset });
  const payload = { fromTenantId, toAccountId: accountId, asset, amount };
  await tx.announce(announcement(paymentAccepted, { id: paymentId, version: 1n }, payload));
  await hold(tx, { paymentId, input, ...half, side });
}

/** Gives back what the payer's side holds. */
export async function voidForPayer(tx: TenantTx, paymentId: string): Promise<void> {
  await voidHold(tx, await lockPayment(tx, paymentId));
}

/** Gives back what the payee's side holds, and ends its row; why is the payer's business. */
export async function voidForPayee(tx: TenantTx, paymentId: string, payerId: string): Promise<void> {
  const payment = await lockFrom(tx, paymentId, payerId);
  await markEnded(tx, paymentId, 'compensated', null);
  const stream = { id: paymentId, version: payment.version + 1n };
  await tx.announce(announcement(paymentCompensated, stream, { code: null }));
  await voidHold(tx, payment);
}

/** Behind this the payment is finished. */
export async function decide(tx: TenantTx, paymentId: string): Promise<void> {
  const { version } = await lockPayment(tx, paymentId);
  await markNoted(tx, paymentId);
  await tx.announce(announcement(paymentDecided, { id: paymentId, version: version + 1n }, {}));
}

/** Posts the payer's half. */
export async function postForPayer(tx: TenantTx, paymentId: string): Promise<void> {
  const payment = await lockPayment(tx, paymentId);
  await markPosted(tx, paymentId);
  await tx.announce(announcement(paymentSent, { id: paymentId, version: payment.version + 1n }, {}));
  await postHold(tx, payment);
}

/** Posts the payee's half, with which the payment is made there. */
export async function postForPayee(tx: TenantTx, paymentId: string, payerId: string): Promise<void> {
  const payment = await lockFrom(tx, paymentId, payerId);
  await markReceived(tx, paymentId);
  await tx.announce(announcement(paymentCompleted, { id: paymentId, version: payment.version + 1n }, {}));
  await postHold(tx, payment);
}

/** Ends the payer's row: the payment is made. */
export async function complete(tx: TenantTx, paymentId: string): Promise<void> {
  const { version } = await lockPayment(tx, paymentId);
  await markEnded(tx, paymentId, 'completed', null);
  await tx.announce(announcement(paymentCompleted, { id: paymentId, version: version + 1n }, {}));
}

/** The payee's row, if the payment is of the tenant whose saga asks. */
async function lockFrom(tx: TenantTx, paymentId: string, payerId: string): Promise<LockedPayment> {
  const payment = await lockPayment(tx, paymentId, 'incoming');
  if (payment.counterpartyId !== payerId) throw new Error(`payment ${paymentId} is of another payer`);
  return payment;
}

interface Holding extends Leg {
  readonly direction: Direction;
  readonly counterpartyId: string;
  readonly accountId: string;
  readonly side: Side;
}

/** Rows first, then the ledger, once: every step takes its locks in this order. */
async function hold(tx: TenantTx, holding: Holding): Promise<void> {
  const { paymentId: id, direction, counterpartyId, accountId, side, input } = holding;
  // Ids of the ledger that nobody can know before: whoever uses one first has it for ever, be it refused. That each step takes effect once
  // is the saga's part, in the same transaction.
  const holdId = newId();
  const { asset, amount } = input;
  const clearingId = clearingAccountId(tx.tenantId, counterpartyId, asset);
  await openOwnedAccount(tx, {
    ...{ id: clearingId, code: `payments/${counterpartyId}/${asset}/${newId()}`, asset, owner: OWNER },
  });
  await insertClearing(tx, counterpartyId, asset, clearingId);
  await markHeld(tx, { id, direction, counterpartyId, accountId, amount, asset }, side, holdId);
  const [debitAccountId, creditAccountId] =
    side === 'debit' ? [accountId, clearingId] : [clearingId, accountId];
  const metadata = { paymentId: id };
  await post(tx, { id: holdId, debitAccountId, creditAccountId, amount, pending: true, metadata });
}

async function postHold(tx: TenantTx, payment: LockedPayment): Promise<void> {
  const { counterpartyId, asset, amount, side } = payment;
  await addToClearing(tx, counterpartyId, asset, side === 'debit' ? amount : -amount);
  await post(tx, { kind: 'post', id: newId(), targetId: holdOf(payment) });
}

async function voidHold(tx: TenantTx, payment: LockedPayment): Promise<void> {
  await post(tx, { kind: 'void', id: newId(), targetId: holdOf(payment) });
}

/** Posts one item, or throws what the ledger refuses it with: then nothing of the step remains, the refusal neither. */
export async function post(
  tx: TenantTx,
  item: Parameters<typeof postInTransaction>[1][number],
): Promise<PostedItem> {
  const [posted] = await postInTransaction(tx, [item]);
  if (!posted) throw new Error('the ledger left an item without a result');
  if (posted.refusal) throw posted.refusal;
  return posted;
}

function holdOf({ holdId }: LockedPayment): string {
  if (holdId === null) throw new Error('the payment holds nothing');
  return holdId;
}

/** The account of a tenant over which payments with another one are cleared. */
export function clearingAccountId(tenantId: string, counterpartyId: string, asset: string): string {
  return deterministicId('payments clearing', tenantId, counterpartyId, asset);
}

/**
 * The side on which the payer's account is booked: on the one opposite to its normal side an account becomes less. Throws TenantSuspended
 * where the payer is not open to its own people, and of the account what the ledger throws.
 */
export async function payingSideOf(tx: TenantTx, accountId: string, asset: string): Promise<Side> {
  if (!(await isActive(tx))) throw new TenantSuspended();
  return opposite(await normalSideOf(tx, accountId, asset));
}

function opposite(side: Side): Side {
  return side === 'debit' ? 'credit' : 'debit';
}
