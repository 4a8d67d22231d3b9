import { counter, gauge, histogram } from '@holdfast/observability';

/** Streams of events that are open in this process, by transport. */
export const openStreams = gauge({
  name: 'holdfast_tail_open_streams',
  help: 'Streams of events that are open in this process, by transport (sse or graphql).',
  labels: ['transport'],
});

/** Events that were sent to readers. */
export const sentTotal = counter({
  name: 'holdfast_tail_events_sent_total',
  help: 'Events sent to readers of the live tail, by transport.',
  labels: ['transport'],
});

/** How old events are when they are handed to readers who are up to date. */
export const lagSeconds = histogram({
  name: 'holdfast_tail_lag_seconds',
  help: 'Time from an event to its being sent to a reader who had everything before it, in seconds.',
});

/** Streams that ended, and why. */
export const endedTotal = counter({
  name: 'holdfast_tail_streams_ended_total',
  help: 'Streams of events that ended, by transport and by the code of what ended them; closed: by the client.',
  labels: ['transport', 'reason'],
});
