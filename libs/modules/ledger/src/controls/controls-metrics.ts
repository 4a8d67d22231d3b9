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
