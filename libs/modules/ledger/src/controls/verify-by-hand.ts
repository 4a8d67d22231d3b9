import type { Caller } from '@holdfast/kernel';
import type { TenantDatabase, TenantTx } from '@holdfast/tenancy';
import { recordBreaks } from './breaks.sql';
import { findControl, findHorizon } from './controls.sql';
import { isImporting } from './imports.sql';
import {
  beginFull,
  BOOKED_BEGINNING,
  type LedgerBreak,
  type VerifiedPage,
  verifyBooked,
  verifyPage,
} from './verify-ledger';

/** How a ledger is verified by hand. */
export interface VerifyLedgerOptions {
  /** Everything; otherwise what was booked since a worker last verified it, and what that touches. */
  readonly isFull: boolean;
  /** Told after each page how many rows were verified so far. */
  readonly onPage?: (checked: number) => void;
}

/** Breaks that are listed: a ledger with more is not mended one by one. */
const LISTED_MAX = 1_000;
/** What is booked within so many seconds may still be on its way in another transaction. */
const MARGIN_SECONDS = 0;

/**
 * Verifies the caller's ledger, a page and a transaction at a time, while others post to it. What it finds is recorded and
 * announced as if a worker had found it. Of a ledger that is being imported nothing is verified. Answers how many rows were verified and what does not hold, of which the first
 * thousand.
 */
export async function verifyLedger(
  tenants: TenantDatabase,
  caller: Caller,
  { isFull, onPage }: VerifyLedgerOptions,
): Promise<{ readonly checked: number; readonly breaks: readonly LedgerBreak[] }> {
  const breaks: LedgerBreak[] = [];
  let checked = 0;
  const pages = async <From>(
    first: From,
    verify: (tx: TenantTx, from: From) => Promise<VerifiedPage<From>>,
  ): Promise<void> => {
    for (let from: From | undefined = first; from !== undefined;) {
      const begin: From = from;
      const page = await tenants.transaction(caller, async (tx) => {
        if (await isImporting(tx)) return { checked: 0, breaks: [], next: undefined };
        const verified = await verify(tx, begin);
        await recordBreaks(tx, verified.breaks);
        return verified;
      });
      breaks.push(...page.breaks.slice(0, LISTED_MAX - breaks.length));
      checked += page.checked;
      onPage?.(checked);
      from = page.next;
    }
  };
  if (isFull) await pages(await tenants.reading(caller, beginFull), verifyPage);
  else {
    const state = await tenants.reading(caller, findControl);
    const horizon = await tenants.reading(caller, (tx) => findHorizon(tx, MARGIN_SECONDS));
    await pages(state?.mark ?? BOOKED_BEGINNING, (tx, from) => verifyBooked(tx, from, horizon));
  }
  return { checked, breaks };
}
