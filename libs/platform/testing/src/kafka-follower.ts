import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** A message as Kafka's own consumer prints it. */
export interface ConsumedMessage {
  readonly partition: number;
  readonly offset: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly key: string;
  readonly value: string;
}

/** A Java process that has two cores with others takes seconds to begin. */
const READ_WITHIN_MS = 60_000;

/**
 * What Kafka's own consumer reads of a topic, as it comes. Each start of a consumer takes seconds, and when it has read everything only a
 * message can tell that is known to be the last: so one consumer reads all that a suite writes.
 */
export class KafkaFollower {
  /** By partition and offset: a consumer that had to join its group again reads some a second time, and that is no copy. */
  private readonly messages = new Map<string, ConsumedMessage>();

  constructor(
    private readonly consumer: ChildProcessByStdio<null, Readable, null>,
    read: (line: string) => ConsumedMessage | undefined,
  ) {
    createInterface({ input: consumer.stdout }).on('line', (line) => {
      const message = read(line);
      if (message) this.messages.set(`${message.partition}/${message.offset}`, message);
    });
  }

  /** Everything in the topic, once so many partitions have each come to a message with this header. Throws after a minute. */
  async readTo(header: string, value: string, partitions: number): Promise<readonly ConsumedMessage[]> {
    const deadline = Date.now() + READ_WITHIN_MS;
    for (;;) {
      const messages = [...this.messages.values()];
      const marks = messages.filter(({ headers }) => headers[header] === value);
      if (new Set(marks.map(({ partition }) => partition)).size === partitions) return messages;
      if (Date.now() > deadline) throw new Error(`only ${marks.length} messages have ${header} ${value}`);
      await sleep(20);
    }
  }

  async close(): Promise<void> {
    if (this.consumer.exitCode !== null || this.consumer.signalCode !== null) return;
    const gone = once(this.consumer, 'exit');
    this.consumer.kill('SIGKILL');
    await gone;
  }
}
