import { counter } from '@holdfast/observability';

/** Behind an event of the log that says so. */
export const prunedEventsTotal = counter({
  name: 'holdfast_audit_pruned_events_total',
  help: 'Rows of events that the retention has deleted; their leaves stay.',
});
