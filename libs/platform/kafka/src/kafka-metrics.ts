import { counter, histogram } from '@holdfast/observability';

/** Messages that Kafka has committed, by topic. */
export const messagesTotal = counter({
  name: 'holdfast_kafka_messages_total',
  help: 'Messages that Kafka has committed, by topic.',
  labels: ['topic'],
});

/** Time that a batch took: its transaction, and the opening of a session where there was none. */
export const produceSeconds = histogram({
  name: 'holdfast_kafka_produce_seconds',
  help: 'Seconds that a batch took to be committed.',
  labels: [],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 7],
});

/** Sessions that were opened: more than one for each worker means errors, or workers that take turns. */
export const sessionsTotal = counter({
  name: 'holdfast_kafka_sessions_total',
  help: 'Times that a worker took the name of the sender.',
});

/** Batches that were found committed instead of being sent again. */
export const foundTotal = counter({
  name: 'holdfast_kafka_batches_found_total',
  help: 'Batches that were found to be stored already and were not sent again.',
});
