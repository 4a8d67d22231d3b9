import type { WorkerConfig } from '@holdfast/config';
import { type Broker, KafkaBroker, KafkaConsumer, kafkaOptionsOf } from '@holdfast/kafka';

/** Kafka as this process reaches it. */
export interface KafkaStore {
  readonly broker: Broker;
  readonly consumer: KafkaConsumer;
}

/** Opens Kafka where `KAFKA_BROKERS` says that there is one. Nothing is connected before the first batch. */
export function openKafka(config: WorkerConfig): KafkaStore | undefined {
  const options = kafkaOptionsOf(config);
  if (!options) return undefined;
  // All workers send under one name: of those, Kafka listens to the one that took it last.
  const broker = new KafkaBroker(options, `${options.prefix}.kafka`);
  return { broker, consumer: new KafkaConsumer(broker, options.prefix) };
}
