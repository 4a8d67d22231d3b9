import type { BrokerBatch, BrokerMessage } from './broker';
import { readCommitted } from './committed-position';
import { type KafkaOptions, TransactionalProducer } from './kafka-clients';
import type { Topics } from './topics';

type OpenTransaction = Awaited<ReturnType<TransactionalProducer['beginTransaction']>>;

/** Bytes of one request, about: what goes to one partition in one request counts against its limit on messages as one. */
const CHUNK_BYTES_MAX = 512 * 1024;

/** What stands in the topic of positions under the sender's name. */
interface Position {
  readonly token: string;
  readonly events: number;
}

/**
 * A sender that Kafka knows as the latest of its name: a producer, its epoch, and the token it has committed last.
 *
 * It is used until the first error and then thrown away; the next one begins by making Kafka refuse this one.
 */
export class KafkaSession {
  private readonly producer: TransactionalProducer;
  private transaction: OpenTransaction | undefined;
  private token: string | undefined;

  private constructor(
    private readonly options: KafkaOptions,
    private readonly name: string,
    private readonly topics: Topics,
  ) {
    this.producer = new TransactionalProducer(options, name);
  }

  /**
   * Opens a session: takes the name, which ends what senders before this one have begun and refuses what they still send;
   * asks whether this sender may go on; reads what was committed last. In this order, whoever sent before has either committed
   * and is read here, or cannot commit any more.
   */
  static async open(
    options: KafkaOptions,
    name: string,
    topics: Topics,
    confirm: () => Promise<void>,
  ): Promise<KafkaSession> {
    const session = new KafkaSession(options, name, topics);
    try {
      await topics.ensurePositions(session.positions);
      await session.begin();
      await confirm();
      const committed = await readCommitted(options, session.positions, name);
      session.token = committed === undefined ? undefined : (JSON.parse(committed) as Position).token;
      return session;
    } catch (error) {
      session.destroy();
      throw error;
    }
  }

  /** Sends the batch and the position behind it in one transaction; false when it is the one that was committed last. */
  async send({ messages, token }: Pick<BrokerBatch, 'messages' | 'token'>): Promise<boolean> {
    if (this.token === token) return false;
    await this.topics.ensure(messages.map(({ topic }) => topic));
    const position: Position = { token, events: messages.length };
    const last = { topic: this.positions, key: this.name, value: JSON.stringify(position), headers: {} };
    const transaction = this.transaction ?? (await this.begin());
    for (const chunk of chunksOf([...messages, last])) await transaction.send({ messages: chunk });
    await transaction.commit();
    this.transaction = undefined;
    this.token = token;
    return true;
  }

  /** Of the batch that was committed last under the name. */
  get lastToken(): string | undefined {
    return this.token;
  }

  /** Ends all connections. A transaction under way is aborted by the next session, or by Kafka after 10 s. */
  destroy(): void {
    this.producer.destroy();
  }

  private get positions(): string {
    return `${this.options.prefix}.positions`;
  }

  private async begin(): Promise<OpenTransaction> {
    // -1 and -1: whatever epoch the name has, this session gets the next. The client would ask for that of its own first.
    this.transaction = await this.producer.beginTransaction({ producerId: -1n, producerEpoch: -1 });
    return this.transaction;
  }
}

function* chunksOf(messages: readonly BrokerMessage[]): Generator<BrokerMessage[]> {
  let chunk: BrokerMessage[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = sizeOf(message);
    if (chunk.length > 0 && bytes + size > CHUNK_BYTES_MAX) {
      yield chunk;
      [chunk, bytes] = [[], 0];
    }
    chunk.push(message);
    bytes += size;
  }
  yield chunk;
}

/** Headers are a hundred bytes or so each; what counts is that a large value is seen as large. */
function sizeOf({ value, headers }: BrokerMessage): number {
  return Buffer.byteLength(value) + Object.keys(headers).length * 100;
}
