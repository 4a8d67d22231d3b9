import { type Broker, type BrokerBatch, type BrokerMessage, MessagesRefused } from '../src/broker';

/** A broker that keeps messages in memory, for specs of what is sent. It passes the suite that Kafka passes. */
export class MemoryBroker implements Broker {
  readonly stored: BrokerMessage[] = [];
  private token: string | undefined;

  constructor(private readonly bytesMax = 2 * 1024 * 1024) {}

  async produce({ messages, token, confirm }: BrokerBatch): Promise<void> {
    await confirm();
    if (token === this.token) return;
    if (messages.some(({ value }) => Buffer.byteLength(value) > this.bytesMax)) {
      throw new MessagesRefused('a message is too large');
    }
    this.stored.push(...messages);
    this.token = token;
  }

  async lastToken(confirm: BrokerBatch['confirm']): Promise<string | undefined> {
    await confirm();
    return this.token;
  }

  ping(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
