import { counter, gauge } from '@holdfast/observability';

/** Holds that this process has ended because their time was over. */
export const expiredHoldsTotal = counter({
  name: 'holdfast_ledger_expired_holds_total',
  help: 'Holds that were given back because their time was over.',
});

/** Rows that named a hold which had ended otherwise or was none: a defect, of which nothing comes. */
export const staleTimeoutsTotal = counter({
  name: 'holdfast_ledger_stale_timeouts_total',
  help: 'Timeouts that were taken away because their hold had ended already, or was none.',
});

/** How late the oldest is: 0 to 2 s in health. */
export const overdueHoldSeconds = gauge({
  name: 'holdfast_ledger_overdue_hold_seconds',
  help: 'For how long the oldest open hold has been due, over all tenants, when this process last looked.',
});

/** Each has an event and stands in the log with its row. */
export const breaksFound = gauge({
  name: 'holdfast_ledger_breaks',
  help: 'Rows of ledgers that do not hold, over all tenants, at most 10000, when this process last looked; 0 in health.',
});

export const verifiedRowsTotal = counter({
  name: 'holdfast_ledger_verified_rows_total',
  help: 'Transfers, accounts, timeouts, keys and events that this process has verified.',
});
