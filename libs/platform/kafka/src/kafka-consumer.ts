import { BatchRefused, Consumer, type RecordedEvent, type StoreConsumer } from '@holdfast/events';
import { type Broker, MessagesRefused } from './broker';
import { messageOf } from './event-message';
import { messagesTotal, produceSeconds } from './kafka-metrics';

/**
 * Delivers the events of every tenant to Kafka: a topic for each module, CloudEvents in binary mode.
 *
 * In effect once for consumers that read only what is committed (`isolation.level=read_committed`): a batch is a transaction
 * that holds its token too, and a batch whose outcome was not heard is looked for before it is sent again. What an operator
 * replays is there again under the same `ce_id`.
 */
@Consumer({
  group: 'kafka',
  kind: 'store',
  events: 'all',
  key: 'stream',
  from: 'beginning',
  replay: 'idempotent',
})
export class KafkaConsumer implements StoreConsumer {
  /** A transaction costs some round trips whatever is in it; a thousand events are about a megabyte. */
  readonly batchMax = 1_000;
  /** Kafka gathers no debt from small batches, unlike ClickHouse; the pause only lets events gather. */
  readonly paceMs = 10;

  /** `prefix`: of the topics. */
  constructor(
    private readonly broker: Broker,
    private readonly prefix: string,
  ) {}

  /** Stores the events. Throws BatchRefused when Kafka has taken none of them and will not take one of them. */
  async deliver(
    events: readonly RecordedEvent[],
    token: string,
    confirm: () => Promise<void>,
  ): Promise<void> {
    const messages = events.map((event) => messageOf(event, this.prefix));
    const startedAt = performance.now();
    try {
      await this.broker.produce({ messages, token, confirm });
    } catch (error) {
      throw error instanceof MessagesRefused ? new BatchRefused(error) : error;
    }
    produceSeconds.observe({}, (performance.now() - startedAt) / 1_000);
    for (const { topic } of messages) messagesTotal.inc({ topic });
  }
}
