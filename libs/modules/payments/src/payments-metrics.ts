import { gauge } from '@holdfast/observability';

/** What must be zero. */
export const clearingBreaks = gauge({
  name: 'holdfast_payments_clearing_breaks',
  help: 'Pairs of tenants and assets whose clearing accounts do not add up to what is in flight between them, when this process last looked; 0 in health.',
});

/** What must be zero as well. */
export const clearingAccountBreaks = gauge({
  name: 'holdfast_payments_clearing_account_breaks',
  help: 'Clearing accounts that have something else posted than payments have booked, as far as this process has looked: at 500 tenants a minute; 0 in health.',
});

/** Payments between the two postings. */
export const paymentsInFlight = gauge({
  name: 'holdfast_payments_in_flight',
  help: 'Payments of all tenants that the payer has posted and that have not ended, when this process last looked.',
});

// Absent where nobody looks, since a process that has nothing to do with it would say 0 for ever.
let lookedAtMs: number | undefined;
gauge({
  name: 'holdfast_payments_clearing_look_age_seconds',
  help: 'How long ago this process last came to the end of a look at clearing accounts, or began to look at all; absent where it does not.',
  collect() {
    this.remove();
    if (lookedAtMs !== undefined) this.set((performance.now() - lookedAtMs) / 1_000);
  },
});

/** A look has come to its end, or looks begin. From here on the age counts. */
export function clearingLooked(): void {
  lookedAtMs = performance.now();
}
