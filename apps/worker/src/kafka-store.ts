import type { WorkerConfig } from '@holdfast/config';
import { type Broker, KafkaBroker, KafkaConsumer, type KafkaOptions } from '@holdfast/kafka';

/** Kafka as this process reaches it. */
export interface KafkaStore {
  readonly broker: Broker;
  readonly consumer: KafkaConsumer;
}

const HOUR_MS = 3_600_000;

/** Opens Kafka where `KAFKA_BROKERS` says that there is one. Nothing is connected before the first batch. */
export function openKafka(config: WorkerConfig): KafkaStore | undefined {
  if (config.kafkaBrokers === undefined) return undefined;
  const prefix = config.kafkaTopicPrefix;
  const options: KafkaOptions = {
    brokers: config.kafkaBrokers,
    prefix,
    ...(config.kafkaTls === 'on' && { tls: tlsOf(config) }),
    ...signInOf(config),
    topics: {
      partitions: config.kafkaTopicPartitions,
      replicas: config.kafkaTopicReplicas,
      retentionMs: config.kafkaTopicRetentionHours * HOUR_MS,
    },
  };
  // All workers send under one name: of those, Kafka listens to the one that took it last.
  const broker = new KafkaBroker(options, `${prefix}.kafka`);
  return { broker, consumer: new KafkaConsumer(broker, prefix) };
}

function tlsOf({ kafkaTlsCa, kafkaTlsCert, kafkaTlsKey }: WorkerConfig): NonNullable<KafkaOptions['tls']> {
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
}: WorkerConfig): Pick<KafkaOptions, 'sasl'> {
  if (kafkaUsername === undefined || kafkaPassword === undefined) return {};
  return { sasl: { mechanism: kafkaSaslMechanism, username: kafkaUsername, password: kafkaPassword } };
}
