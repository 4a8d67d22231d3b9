import type { IngestConfig, WorkerConfig } from '@holdfast/config';
import type { KafkaOptions } from './kafka-clients';

const HOUR_MS = 3_600_000;

/** How the configuration of a process says that Kafka is reached; undefined where `KAFKA_BROKERS` names none. */
export function kafkaOptionsOf(config: WorkerConfig | IngestConfig): KafkaOptions | undefined {
  if (config.kafkaBrokers === undefined) return undefined;
  return {
    brokers: config.kafkaBrokers,
    prefix: config.kafkaTopicPrefix,
    ...(config.kafkaTls === 'on' && { tls: tlsOf(config) }),
    ...signInOf(config),
    topics: {
      partitions: config.kafkaTopicPartitions,
      replicas: config.kafkaTopicReplicas,
      retentionMs: config.kafkaTopicRetentionHours * HOUR_MS,
    },
  };
}

function tlsOf({
  kafkaTlsCa,
  kafkaTlsCert,
  kafkaTlsKey,
}: WorkerConfig | IngestConfig): NonNullable<KafkaOptions['tls']> {
  return {
    ...(kafkaTlsCa !== undefined && { ca: kafkaTlsCa }),
    ...(kafkaTlsCert !== undefined && { cert: kafkaTlsCert }),
    ...(kafkaTlsKey !== undefined && { key: kafkaTlsKey }),
  };
}

function signInOf({
  kafkaSaslMechanism,
  kafkaUsername,
  kafkaPassword,
}: WorkerConfig | IngestConfig): Pick<KafkaOptions, 'sasl'> {
  if (kafkaUsername === undefined || kafkaPassword === undefined) return {};
  return { sasl: { mechanism: kafkaSaslMechanism, username: kafkaUsername, password: kafkaPassword } };
}
