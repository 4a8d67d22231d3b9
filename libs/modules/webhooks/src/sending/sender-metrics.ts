import { counter, gauge, histogram } from '@holdfast/observability';

/** Attempts, by what came of them. */
export const attemptsTotal = counter({
  name: 'holdfast_webhooks_attempts_total',
  help: 'Attempts to deliver to webhooks, by what came of them.',
  labels: ['outcome'],
});

/** From the first look at the receiver's name to the end of its answer. */
export const attemptSeconds = histogram({
  name: 'holdfast_webhooks_attempt_duration_seconds',
  help: 'Time of attempts to deliver to webhooks in seconds, by what came of them.',
  labels: ['outcome'],
  buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30],
});

/** From the event to the receiver's 2xx, of deliveries that were taken at the first attempt. */
export const deliverySeconds = histogram({
  name: 'holdfast_webhooks_delivery_delay_seconds',
  help: 'Seconds from an event to the answer 2xx, of deliveries that were taken at the first attempt.',
  buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600],
});

/** Attempts whose result was not recorded, because they had taken longer than the lease: they are made again. */
export const lostAttemptsTotal = counter({
  name: 'holdfast_webhooks_lost_attempts_total',
  help: 'Attempts whose result came after the lease had gone to another sender; the delivery is sent again.',
});

/** Endpoints that were switched off, by reason. */
export const disabledTotal = counter({
  name: 'holdfast_webhooks_disabled_total',
  help: 'Webhooks that were switched off because they were gone or did nothing but fail.',
  labels: ['reason'],
});

/** Under way in this process. */
export const underWay = gauge({
  name: 'holdfast_webhooks_under_way',
  help: 'Deliveries that this process is sending.',
});

/** Tenants that had something due at the last sweep. */
export const dueTenants = gauge({
  name: 'holdfast_webhooks_due_tenants',
  help: 'Tenants that had deliveries due at the last sweep of this process.',
});

/** The backlog. */
export const dueLanes = gauge({
  name: 'holdfast_webhooks_due_lanes',
  help: 'Webhook streams that had a delivery due and not under way, over all tenants, at most 10000.',
});
