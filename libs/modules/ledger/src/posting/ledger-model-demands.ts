import type { Posting } from './post-batch.sql';

/** An account of the model. */
export interface ModelAccount {
  readonly id: string;
  readonly asset: string;
  readonly normalBalance: 'debit' | 'credit';
  readonly limit: 'none' | 'debits_must_not_exceed_credits' | 'credits_must_not_exceed_debits';
  closed: boolean;
  debits: bigint;
  credits: bigint;
  heldDebits: bigint;
  heldCredits: bigint;
  version: bigint;
  /** When its latest entry was booked. */
  bookedAtUs: number;
}

/** An account without entries. */
export function emptyAccount(
  kind: Pick<ModelAccount, 'id' | 'asset' | 'normalBalance' | 'limit'>,
): ModelAccount {
  return {
    ...kind,
    ...{
      closed: false,
      debits: 0n,
      credits: 0n,
      heldDebits: 0n,
      heldCredits: 0n,
      version: 0n,
      bookedAtUs: 0,
    },
  };
}

/** What a posting does to its two accounts: `posted` to the totals, `held` to the pending ones. */
export interface Move {
  readonly debited: ModelAccount;
  readonly credited: ModelAccount;
  readonly amount: bigint;
  readonly posted: bigint;
  readonly held: bigint;
}

const TOTAL_MAX = 2n ** 63n - 1n;

/** Whether it asks anything new of the accounts. The end of a hold does not: no account, limit or period stands against it. */
export function isNewDemand({ kind }: Posting): boolean {
  return kind === 'transfer' || kind === 'hold' || kind === 'reversal';
}

/** Why the accounts or the books do not admit a move, or undefined. */
export function refusedDemand(
  { terms }: Posting,
  { debited, credited, amount, posted, held }: Move,
  closedThrough: string | null,
): string | undefined {
  const date = terms?.effective_date;
  if (debited.closed || credited.closed) return 'ledger.account_closed';
  if (debited.asset !== credited.asset) return 'ledger.asset_mismatch';
  if (date !== undefined && closedThrough !== null && date <= closedThrough) return 'ledger.period_closed';
  if (amount <= 0n) {
    const isDebitSpent = debited.credits - debited.debits - debited.heldDebits <= 0n;
    const isByDebit = terms?.balancing === 'debit' || terms?.balancing === 'both';
    return isDebitSpent && isByDebit ? 'ledger.exceeds_credits' : 'ledger.exceeds_debits';
  }
  const after = {
    debited: {
      ...debited,
      debits: debited.debits + posted,
      heldDebits: debited.heldDebits + held,
    },
    credited: {
      ...credited,
      credits: credited.credits + posted,
      heldCredits: credited.heldCredits + held,
    },
  };
  const [allDebits, allCredits] = [
    after.debited.debits + after.debited.heldDebits,
    after.credited.credits + after.credited.heldCredits,
  ];
  if (allDebits > TOTAL_MAX || allCredits > TOTAL_MAX) return 'ledger.overflow';
  if (debited.limit === 'debits_must_not_exceed_credits' && allDebits > debited.credits)
    return 'ledger.exceeds_credits';
  if (credited.limit === 'credits_must_not_exceed_debits' && allCredits > credited.debits)
    return 'ledger.exceeds_debits';
  const { debit, credit } = terms?.min_balance_after ?? {};
  const isShort =
    (debit !== undefined && freeOn(after.debited) < BigInt(debit)) ||
    (credit !== undefined && freeOn(after.credited) < BigInt(credit));
  return isShort ? 'ledger.balance_below_minimum' : undefined;
}

/** What is left by the account's normal balance, with nothing that is only pending on that side counted in. */
function freeOn({ normalBalance, debits, credits, heldDebits, heldCredits }: ModelAccount): bigint {
  return normalBalance === 'debit' ? debits - credits - heldCredits : credits - debits - heldDebits;
}
