import { type ChildProcess, type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { freePort } from '@holdfast/embedded';
import { KafkaConnect } from './kafka-connect';
import { type ConsumedMessage, KafkaFollower } from './kafka-follower';

/** What `tools/kafka/start.js` says once the broker takes connections. */
interface Started {
  readonly brokers: string;
  readonly pid: number;
  readonly jars: string;
}

/** Whether messages of transactions are read that have not ended, or not well. */
type Isolation = 'read_committed' | 'read_uncommitted';

const script = resolve(__dirname, '../../../../tools/kafka/start.js');

/** Between the parts of a line, and between headers: characters that no header, key or JSON text of a spec holds. */
const PART = '\u001e';
const HEADER = '\u001f';

let availability: string | undefined;

/**
 * Why this run cannot test Kafka, or the empty string. The jars are fetched the first time, which takes seconds; with
 * KAFKA_BROKERS set the suite that needs no more than brokers runs on those.
 */
export function whyNoKafka(): string {
  if (availability !== undefined) return availability;
  const { status, stderr } = spawnSync(process.execPath, [script, '--fetch'], { encoding: 'utf8' });
  availability = status === 0 ? '' : stderr.trim() || `tools/kafka/start.js ended with ${status}`;
  if (availability) process.stdout.write(`Kafka is left out: ${availability}.\n`);
  return availability;
}

/** An Apache Kafka of the spec's own: one node, in a directory that goes with it. */
export class TestKafka {
  private constructor(
    private readonly directory: string,
    private readonly port: number,
    private launcher: ChildProcess,
    private started: Started,
  ) {}

  static async start(): Promise<TestKafka> {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-kafka-'));
    const port = await freePort();
    return new TestKafka(directory, port, ...(await launch(directory, port)));
  }

  get brokers(): string {
    return this.started.brokers;
  }

  /** Starts a Kafka Connect with a connector; whoever starts it stops it before the broker is closed. */
  connect(connector: object): KafkaConnect {
    const { brokers, jars } = this.started;
    return KafkaConnect.start({ brokers, jars, directory: this.directory }, connector);
  }

  /** Stops the process where it stands: connections stay open and nobody answers. */
  pause(): void {
    process.kill(this.started.pid, 'SIGSTOP');
  }

  resume(): void {
    process.kill(this.started.pid, 'SIGCONT');
  }

  /** Kills the broker as a machine that loses its power does, but for the disk. */
  async kill(): Promise<void> {
    const gone = once(this.launcher, 'exit');
    process.kill(this.started.pid, 'SIGKILL');
    await gone;
  }

  /** Starts it again, at the same address and with what it had. */
  async restart(): Promise<void> {
    [this.launcher, this.started] = await launch(this.directory, this.port);
  }

  /** Everything that is committed in topics whose names match, read by Kafka's own consumer, which is not ours to be wrong. */
  async consume(topics: string, isolation: Isolation = 'read_committed'): Promise<ConsumedMessage[]> {
    const consumer = this.startConsumer(topics, isolation, ['--timeout-ms', '4000']);
    const messages: ConsumedMessage[] = [];
    for await (const line of createInterface({ input: consumer.stdout })) {
      if (line.includes(PART)) messages.push(messageOf(line));
    }
    return messages;
  }

  /** Follows what is committed in the topic, with Kafka's own consumer; whoever starts it closes it. */
  follow(topic: string): KafkaFollower {
    const consumer = this.startConsumer(topic.replaceAll('.', String.raw`\.`), 'read_committed', []);
    return new KafkaFollower(consumer, (line) => (line.includes(PART) ? messageOf(line) : undefined));
  }

  private startConsumer(
    topics: string,
    isolation: Isolation,
    more: readonly string[],
  ): ChildProcessByStdio<null, Readable, null> {
    const properties = ['partition', 'offset', 'headers', 'key'].map((name) => `print.${name}=true`);
    const separators = [`key.separator=${PART}`, `headers.separator=${HEADER}`];
    const args = [
      ...['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${this.started.jars}/*`],
      ...['org.apache.kafka.tools.consumer.ConsoleConsumer', '--bootstrap-server', this.brokers],
      ...['--include', topics, '--from-beginning', ...more],
      ...['--command-property', `isolation.level=${isolation}`],
      ...[...properties, ...separators].flatMap((property) => ['--formatter-property', property]),
    ];
    return spawn('java', args, { stdio: ['ignore', 'pipe', 'ignore'] });
  }

  async close(): Promise<void> {
    if (this.launcher.exitCode === null && this.launcher.signalCode === null) {
      this.resume();
      await this.kill();
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function launch(directory: string, port: number): Promise<[ChildProcess, Started]> {
  const args = [script, '--directory', directory, '--port', String(port), '--attached'];
  const launcher = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: launcher.stdout })) {
    return [launcher, JSON.parse(line) as Started];
  }
  throw new Error('tools/kafka/start.js ended before the broker was there');
}

/** `Partition:0 ␞ Offset:12 ␞ name:value␟… ␞ key ␞ value`. */
function messageOf(line: string): ConsumedMessage {
  const [partition = '', offset = '', headers = '', key = '', ...value] = line.split(PART);
  const pairs = headers.split(HEADER).map((pair) => {
    const colon = pair.indexOf(':');
    return [pair.slice(0, colon), pair.slice(colon + 1)] as const;
  });
  return {
    partition: Number(partition.split(':')[1]),
    offset: Number(offset.split(':')[1]),
    headers: Object.fromEntries(pairs),
    key,
    value: value.join(PART),
  };
}
