import { counter, gauge, histogram } from '@holdfast/observability';

/** Ticks that held events. */
export const ticksTotal = counter({ name: 'holdfast_events_ticks_total', help: 'Ticks that held events.' });

/** Events that ticks have put in order. */
export const sequencedTotal = counter({
  name: 'holdfast_events_sequenced_total',
  help: 'Events put in order by ticks.',
});

/** Whether this process is the sequencer. */
export const leading = gauge({
  name: 'holdfast_events_sequencer_leading',
  help: '1 while this process holds the lease of the sequencer.',
});

/** Time that a tick took, with its way to the database and back. */
export const tickSeconds = histogram({
  name: 'holdfast_events_tick_seconds',
  help: 'Seconds that a tick with events took.',
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
});

/** Events of one tick. */
export const tickEvents = histogram({
  name: 'holdfast_events_tick_events',
  help: 'Events in a tick.',
  buckets: [1, 2, 5, 10, 25, 50, 100, 250, 1_000, 10_000],
});

/** Age of the oldest event of the last tick: how far order is behind commits. */
export const sequencerLagSeconds = gauge({
  name: 'holdfast_events_sequencer_lag_seconds',
  help: 'Seconds from the append of the oldest event of the last tick to its tick; 0 while nothing happens.',
});

/** Whether an operator has to look before events go on. */
export const stopped = gauge({
  name: 'holdfast_events_stopped',
  help: '1 while ticks and deliveries are stopped, by what is wrong with the database.',
  labels: ['reason'],
});

/** Events whose effect is committed, by group. */
export const deliveredTotal = counter({
  name: 'holdfast_events_delivered_total',
  help: 'Events that took effect in a consumer group.',
  labels: ['group'],
});

/** Deliveries that failed and will be tried again, by group. */
export const failuresTotal = counter({
  name: 'holdfast_events_delivery_failures_total',
  help: 'Deliveries that failed and are tried again.',
  labels: ['group'],
});

/** Events that have not taken effect yet, at most 10,001, by group. */
export const lagEvents = gauge({
  name: 'holdfast_events_lag_events',
  help: 'Events behind the cursors of a group as the leader measured it, at most 10001.',
  labels: ['group'],
});

/** Age of the oldest event that has not taken effect yet, by group. */
export const lagSeconds = gauge({
  name: 'holdfast_events_lag_seconds',
  help: 'Age of the oldest event behind the cursors of a group as the leader measured it.',
  labels: ['group'],
});

/** Keys that are parked, quarantined ones included, by group. */
export const parkedKeys = gauge({
  name: 'holdfast_events_parked_keys',
  help: 'Keys that are parked in a group as the leader measured it, quarantined ones included.',
  labels: ['group'],
});

/** Keys that wait for an operator, by group. */
export const quarantinedKeys = gauge({
  name: 'holdfast_events_quarantined_keys',
  help: 'Keys of a group that wait for an operator, as the leader measured it.',
  labels: ['group'],
});

/** Whether an operator has paused the group. */
export const pausedGroups = gauge({
  name: 'holdfast_events_group_paused',
  help: '1 while an operator has paused the group.',
  labels: ['group'],
});

/** Keys that were set aside because an event of theirs failed alone, by group. */
export const parkedTotal = counter({
  name: 'holdfast_events_parked_keys_total',
  help: 'Keys parked because an event of theirs could not be delivered.',
  labels: ['group'],
});

/** Parked keys that have failed too often, and wait for an operator, by group. */
export const quarantinedTotal = counter({
  name: 'holdfast_events_quarantined_keys_total',
  help: 'Parked keys that were quarantined until an operator releases them.',
  labels: ['group'],
});

/** Time from the event's append to its effect, of the oldest event of each page or batch. */
export const delaySeconds = histogram({
  name: 'holdfast_events_delivery_delay_seconds',
  help: 'Seconds from the append of the oldest event of a delivery to its effect.',
  labels: ['group'],
  buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600],
});

/** Keys that lagged at the last sweep, by group. */
export const lagging = gauge({
  name: 'holdfast_events_lagging_keys',
  help: 'Tenants (1 for a store) that lag behind the log at the last sweep, at most 1000.',
  labels: ['group'],
});

/** Wake-ups by the way they took: `queue`, or `process` when the queue was away or a key did not move. */
export const wakeUpsTotal = counter({
  name: 'holdfast_events_wake_ups_total',
  help: 'Wake-ups of consumer groups, through the queue or in process.',
  labels: ['group', 'way'],
});

/** Counts a delivery that has taken effect. */
export function countDelivered(group: string, events: readonly { readonly occurredAt: string }[]): void {
  const [oldest] = events;
  if (!oldest) return;
  deliveredTotal.inc({ group }, events.length);
  delaySeconds.observe({ group }, Math.max(0, Date.now() - Date.parse(oldest.occurredAt)) / 1_000);
}
