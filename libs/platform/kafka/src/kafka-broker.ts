import { Deadline } from '@holdfast/kernel';
import { Policy } from '@holdfast/resilience';
import { type Broker, BrokerAway, type BrokerBatch } from './broker';
import { brokerErrorOf, isReplaced } from './kafka-errors';
import type { KafkaOptions } from './kafka-clients';
import { foundTotal, sessionsTotal } from './kafka-metrics';
import { KafkaSession } from './kafka-session';
import { Topics } from './topics';

const PING_TIMEOUT_MS = 2_000;

/** What was given up may still be going on: whatever it opens then is closed. */
interface Attempt {
  readonly isOver: boolean;
}

/**
 * Apache Kafka, through transactions of one sender's name.
 *
 * Each batch is a transaction together with its token in the topic `<prefix>.positions`. A sender that does not know how its
 * last one ended, because it has just begun, or after any error, takes the name anew and reads the token there.
 */
export class KafkaBroker implements Broker {
  private readonly topics: Topics;
  private session: KafkaSession | undefined;
  private readonly policy = new Policy('kafka');

  /** `name`: of the sender; of all that use it, only the one who took it last can send. */
  constructor(
    private readonly options: KafkaOptions,
    private readonly name: string,
  ) {
    this.topics = new Topics(options);
  }

  async produce(batch: BrokerBatch): Promise<void> {
    await this.attempt((attempt) => this.produceOnce(batch, attempt), 'sending a batch');
  }

  lastToken(confirm: BrokerBatch['confirm']): Promise<string | undefined> {
    return this.attempt(
      async (attempt) => (await this.openSession(confirm, attempt)).lastToken,
      'reading the last token',
    );
  }

  async ping(): Promise<void> {
    const deadline = Deadline.in(PING_TIMEOUT_MS);
    await this.policy
      .run(() => this.topics.ping(), { deadline })
      .catch((error: unknown) => {
        throw brokerErrorOf(error, 'asking for metadata');
      });
  }

  close(): Promise<void> {
    this.endSession();
    this.topics.close();
    return Promise.resolve();
  }

  private async attempt<T>(work: (attempt: Attempt) => Promise<T>, doing: string): Promise<T> {
    const attempt = { isOver: false };
    try {
      return await this.policy.run(() => work(attempt));
    } catch (error) {
      attempt.isOver = true;
      this.endSession();
      throw brokerErrorOf(error, doing);
    }
  }

  /** Twice at most: another process of the group may have sent since this one did, and taken the name. */
  private async produceOnce(batch: BrokerBatch, attempt: Attempt): Promise<void> {
    const session = await this.openSession(batch.confirm, attempt);
    try {
      await this.sendOn(session, batch);
    } catch (error) {
      if (!isReplaced(error) || attempt.isOver) throw error;
      this.endSession();
      await this.sendOn(await this.openSession(batch.confirm, attempt), batch);
    }
  }

  private async sendOn(session: KafkaSession, batch: BrokerBatch): Promise<void> {
    if (!(await session.send(batch))) foundTotal.inc();
  }

  private async openSession(confirm: BrokerBatch['confirm'], attempt: Attempt): Promise<KafkaSession> {
    if (this.session) return this.session;
    const opened = await KafkaSession.open(this.options, this.name, this.topics, confirm);
    if (attempt.isOver) {
      opened.destroy();
      throw new BrokerAway('the session was opened too late');
    }
    sessionsTotal.inc();
    return (this.session = opened);
  }

  private endSession(): void {
    this.session?.destroy();
    this.session = undefined;
    this.topics.forget();
  }
}
