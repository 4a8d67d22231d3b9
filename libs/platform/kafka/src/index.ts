export {
  type Broker,
  BrokerAway,
  type BrokerBatch,
  type BrokerMessage,
  MessagesRefused,
  TopicMissing,
} from './broker';
export { messageOf } from './event-message';
export { KafkaBroker } from './kafka-broker';
export { type KafkaOptions } from './kafka-clients';
export { KafkaConsumer } from './kafka-consumer';
export { kafkaOptionsOf } from './kafka-options';
export { KafkaSink } from './telemetry-sink';
