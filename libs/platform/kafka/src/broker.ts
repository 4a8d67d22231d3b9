/** One message: what order and partition follow from, what it says, and what it says about itself. */
export interface BrokerMessage {
  readonly topic: string;
  /** Messages of one key stay in order. */
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Messages that are stored together or not at all. */
export interface BrokerBatch {
  readonly messages: readonly BrokerMessage[];
  /** A name for exactly these messages in this order. */
  readonly token: string;
  /**
   * Resolves while whoever sends still holds the right to, and throws once somebody else may have it. It is asked after the
   * broker has been told to refuse all senders before this one: who passes both cannot be followed by an older one.
   */
  readonly confirm: () => Promise<void>;
}

/** Where batches of messages go. Two implementations pass one suite: Kafka, and one in memory for specs. */
export interface Broker {
  /**
   * Stores the batch, in order per key, and answers once it is there for good. The batch that was stored last is not stored
   * again, whichever process sends it: a sender that did not hear the answer sends the same batch under the same token.
   *
   * Throws MessagesRefused when the broker took nothing and will not take these messages; after any other error it is not
   * known whether the batch is stored. Ends within 7 s.
   */
  produce(batch: BrokerBatch): Promise<void>;
  /** The token of the batch that was stored last under the sender's name, by whichever process. Ends within 7 s. */
  lastToken(confirm: BrokerBatch['confirm']): Promise<string | undefined>;
  /** Resolves when the broker answers. */
  ping(): Promise<void>;
  /** Ends all connections, whatever they are doing. */
  close(): Promise<void>;
}

/** The broker answered and stored nothing: a message among these cannot be stored. */
export class MessagesRefused extends Error {
  override readonly name = 'MessagesRefused';
}

/** A topic is not there and cannot be made. That is for the operator to settle; the messages are not at fault. */
export class TopicMissing extends Error {
  override readonly name = 'TopicMissing';
}

/** The broker does not do what it was asked in time, or cannot be reached. */
export class BrokerAway extends Error {
  override readonly name = 'BrokerAway';
}
