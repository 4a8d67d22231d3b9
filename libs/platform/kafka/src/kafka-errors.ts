import { findErrorBy } from '@platformatic/kafka';
import { BrokerAway, MessagesRefused, TopicMissing } from './broker';

/** Answers to a message that will be the same however often it is sent. */
const REFUSALS = [
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_TIMESTAMP',
];
/** Answers to a sender that another one has replaced, or that the broker has forgotten. */
const REPLACED = [
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
  'TRANSACTIONAL_ID_NOT_FOUND',
  'UNKNOWN_PRODUCER_ID',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
];
/** Answers about a topic that is for an operator to make. */
const TOPIC_FAULTS = [
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_PARTITIONS',
  'INVALID_CONFIG',
  'POLICY_VIOLATION',
];

/** Whether the broker answered with one of these errors. */
export function isAnswer(error: unknown, ids: readonly string[]): string | undefined {
  return ids.find((id) => findErrorBy(error as Error, 'apiId', id));
}

/** Whether another sender has taken the transactional id. */
export function isReplaced(error: unknown): boolean {
  return isAnswer(error, REPLACED) !== undefined;
}

/** The error as those who use the port know it. The client's own are long and hold every try. */
export function brokerErrorOf(error: unknown, doing: string): Error {
  if (error instanceof MessagesRefused || error instanceof TopicMissing || error instanceof BrokerAway)
    return error;
  const refusal = isAnswer(error, REFUSALS);
  if (refusal) return new MessagesRefused(`Kafka answered ${refusal}`, { cause: error });
  const fault = isAnswer(error, TOPIC_FAULTS);
  if (fault) return new TopicMissing(`Kafka answered ${fault} while ${doing}`, { cause: error });
  return new BrokerAway(`${doing}: ${reasonOf(error)}`, { cause: error });
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors.at(-1));
  return error instanceof Error ? error.message : String(error);
}
