import { counter, gauge } from '@holdfast/observability';

/** Each has an event and stands in the log of a worker. */
export const logBreaks = gauge({
  name: 'holdfast_audit_log_breaks',
  help: 'What does not hold of audit logs, over all tenants, at most 10000, when this process last looked; 0 in health.',
});

/** Events whose leaves this process has made anew. */
export const verifiedEventsTotal = counter({
  name: 'holdfast_audit_verified_events_total',
  help: 'Events that this process has verified against the leaves of their log.',
});
