import { deterministicId, newId } from '@holdfast/kernel';
import { normalSideOf, openOwnedAccount } from '@holdfast/ledger';
import { LASTING_ATTEMPTS_MAX, saga } from '@holdfast/sagas';
import type { TenantTx } from '@holdfast/tenancy';
import { z } from 'zod';
import { OWNER, payingSideOf, post } from '../payment-legs';
import { BankNotConfigured } from './bank.errors';
import { shortened } from './iban';
import { type BankOptions, PartnerBank } from './partner-bank';

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

/**
 * A payment to an account at another bank. What it takes is held in the payer's books, and reserved at the bank, which can always be given
 * back; then the bank is told to pay, behind which there is no way back, and what is held is posted. The bank reserves and pays under one
 * key, once or not at all, whatever is lost on the way. Ids in the ledger are drawn by chance: whoever knows the payment's could take
 * those that follow from it.
 */
export const bankPayment = saga({
  name: 'payments.bank_payment',
  input: bankPaymentInput,
  keeps: (input) => ({ ...input, toIban: shortened(input.toIban) }),
})
  .compensatable('hold', {
    run: (tx, { input }) => hold(tx, input),
    compensate: async (tx, { result }) => {
      if (result) await post(tx, { kind: 'void', id: newId(), targetId: result.holdId });
    },
  })
  .compensatable('reserve', {
    // Banks decide in their own time, and what is held stays held meanwhile.
    attemptsMax: LASTING_ATTEMPTS_MAX,
    call: async ({ input: { amount, asset, toIban: iban }, key, signal, deadline }) => {
      await bank().reserve({ key, amount, asset, iban }, { signal, deadline });
      return { key };
    },
    cancel: ({ key, signal, deadline }) => bank().cancel(key, { signal, deadline }),
  })
  .pivot('pay', {
    call: async ({ results, signal, deadline }) => ({
      receipt: await bank().pay(results.reserve.key, { signal, deadline }),
    }),
  })
  .retriable('post', {
    run: async (tx, { results }) => {
      await post(tx, { kind: 'post', id: newId(), targetId: results.hold.holdId });
    },
  })
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

async function hold(
  tx: TenantTx,
  { fromAccountId, amount, asset }: BankPaymentInput,
): Promise<{ readonly holdId: string }> {
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
