import { deterministicId, newId } from '@holdfast/kernel';
import { normalSideOf, openOwnedAccount } from '@holdfast/ledger';
import { LASTING_ATTEMPTS_MAX, saga, type StepContext } from '@holdfast/sagas';
import { announcement, type TenantTx } from '@holdfast/tenancy';
import { z } from 'zod';
import { isDone, OWNER, payingSideOf, post } from '../payment-legs';
import {
  bankPaymentRequested,
  paymentCompensated,
  paymentCompleted,
  paymentFailed,
  paymentSent,
} from '../payments.events';
import { BankNotConfigured } from './bank.errors';
import { shortened } from './iban';
import { type BankCall, type BankOptions, PartnerBank } from './partner-bank';

/** What the saga of a payment to a bank begins with; amounts are decimal digits, since it is kept as JSON. */
export const bankPaymentInput = z.strictObject({
  fromAccountId: z.guid(),
  toIban: z.string(),
  amount: z.string().regex(/^[1-9][0-9]{0,18}$/),
  asset: z.string(),
});
/** Who pays what to where. */
export type BankPaymentInput = z.output<typeof bankPaymentInput>;

let partnerBank: PartnerBank | undefined;

/** Says which bank the payments of this process go through. A definition outlives every connection, and so has none of its own. */
export function payThrough(options: BankOptions | undefined): void {
  partnerBank = options && new PartnerBank(options);
}

/** Whether there is a bank to pay through. */
export function hasBank(): boolean {
  return partnerBank !== undefined;
}

function bank(): PartnerBank {
  if (!partnerBank) throw new BankAway();
  return partnerBank;
}

/** A process without a bank has taken up a payment: one that has it goes on with it. */
class BankAway extends Error {
  override readonly name = 'BankAway';
}

interface Held {
  readonly holdId: string;
}

type Calling<Results> = StepContext<BankPaymentInput, Results> & BankCall;

const DECLARED = {
  name: 'payments.bank_payment',
  input: bankPaymentInput,
  keeps: (input: BankPaymentInput) => ({ ...input, toIban: shortened(input.toIban) }),
};

const HOLD = {
  run: (tx: TenantTx, { input }: StepContext<BankPaymentInput, unknown>) => hold(tx, input),
  compensate: async (tx: TenantTx, { result }: { readonly result: Held | undefined }) => {
    if (result) await post(tx, { kind: 'void', id: newId(), targetId: result.holdId });
  },
};

/** The key of a payment at the bank. Ids of sagas are unique in their tenants only: it is bound to the tenant, so that no other cancels it. */
export function bankKeyOf({
  tenantId,
  sagaId,
}: {
  readonly tenantId: string;
  readonly sagaId: string;
}): string {
  return deterministicId('payments bank key', tenantId, sagaId);
}

const reserving = (keyOf: (ctx: StepContext<BankPaymentInput, unknown>) => string) => ({
  // Banks decide in their own time, and what is held stays held meanwhile.
  attemptsMax: LASTING_ATTEMPTS_MAX,
  call: async ({ signal, deadline, ...ctx }: Calling<unknown>) => {
    const { amount, asset, toIban: iban } = ctx.input;
    const key = keyOf(ctx);
    await bank().reserve({ key, amount, asset, iban }, { signal, deadline });
    return { key };
  },
  cancel: ({ signal, deadline, ...ctx }: Calling<unknown>) => bank().cancel(keyOf(ctx), { signal, deadline }),
});

const PAY = {
  call: async ({ results, signal, deadline }: Calling<{ readonly reserve: { readonly key: string } }>) => ({
    receipt: await bank().pay(results.reserve.key, { signal, deadline }),
  }),
};

/**
 * A payment to an account at another bank. What it takes is held in the payer's books, and reserved at the bank, which can always be given
 * back; then the bank is told to pay, behind which there is no way back, and what is held is posted. The bank reserves and pays under one
 * key, once or not at all, whatever is lost on the way. Ids in the ledger are drawn by chance: whoever knows the payment's could take
 * those that follow from it.
 */
export const bankPayment = saga(DECLARED)
  // It begins and ends, and announces nothing else: the version of each event follows from which of them it is.
  .compensatable('request', {
    sharesTransaction: true,
    run: (tx, { sagaId, input: { toIban, ...input } }) =>
      tx.announce(
        announcement(
          bankPaymentRequested,
          { id: sagaId, version: 1n },
          { ...input, toIban: shortened(toIban) },
        ),
      ),
    compensate: (tx, { sagaId, reason: code, results }) => {
      const type = isDone({ results }, 'hold') ? paymentCompensated : paymentFailed;
      return tx.announce(announcement(type, { id: sagaId, version: 2n }, { code }));
    },
  })
  .compensatable('hold', HOLD)
  .compensatable('reserve', reserving(bankKeyOf))
  .pivot('pay', PAY)
  .retriable('post', {
    run: async (tx, { sagaId, results }) => {
      await tx.announce(
        announcement(paymentSent, { id: sagaId, version: 2n }, {}),
        announcement(paymentCompleted, { id: sagaId, version: 3n }, {}),
      );
      await postHeld(tx, results.hold);
    },
  })
  .build();

/**
 * The same as it was before its events were announced and its keys bound to tenants: until none of its hash is left, sagas end that began
 * so.
 */
export const unannouncedBankPayment = saga(DECLARED)
  .compensatable('hold', HOLD)
  .compensatable(
    'reserve',
    reserving(({ key }) => key),
  )
  .pivot('pay', PAY)
  .retriable('post', { run: (tx, { results }) => postHeld(tx, results.hold) })
  .build();

/** Refuses what a payment to a bank cannot begin with. Throws BankNotConfigured, and of the account what the ledger throws. */
export async function checkBankPayment(
  tx: TenantTx,
  { fromAccountId, asset }: BankPaymentInput,
): Promise<void> {
  if (!hasBank()) throw new BankNotConfigured();
  await normalSideOf(tx, fromAccountId, asset);
}

/** The account of a tenant that has what it owes the bank, or is owed by it, until the two settle. */
export function bankAccountId(tenantId: string, asset: string): string {
  return deterministicId('payments bank', tenantId, asset);
}

async function hold(tx: TenantTx, { fromAccountId, amount, asset }: BankPaymentInput): Promise<Held> {
  const holdId = newId();
  const side = await payingSideOf(tx, fromAccountId, asset);
  const bankId = bankAccountId(tx.tenantId, asset);
  await openOwnedAccount(tx, {
    ...{ id: bankId, code: `payments/bank/${asset}/${newId()}`, asset, owner: OWNER },
  });
  const [debitAccountId, creditAccountId] =
    side === 'debit' ? [fromAccountId, bankId] : [bankId, fromAccountId];
  await post(tx, { id: holdId, debitAccountId, creditAccountId, amount, pending: true, metadata: {} });
  return { holdId };
}

async function postHeld(tx: TenantTx, { holdId }: Held): Promise<void> {
  await post(tx, { kind: 'post', id: newId(), targetId: holdId });
}
