import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a Connect runs: its brokers, the jars of both, and a directory for its files. */
export interface ConnectPlace {
  readonly brokers: string;
  readonly jars: string;
  readonly directory: string;
}

/** A Kafka Connect of one process, with one connector. */
export class KafkaConnect {
  private said = '';

  private constructor(private readonly process: ChildProcess) {
    for (const stream of [process.stdout, process.stderr]) {
      stream?.on('data', (chunk) => (this.said = `${this.said}${String(chunk)}`.slice(-20_000)));
    }
  }

  /** Starts one; `connector` is what would be posted to its API. */
  static start({ brokers, jars, directory }: ConnectPlace, connector: object): KafkaConnect {
    const worker = {
      'bootstrap.servers': brokers,
      'key.converter': 'org.apache.kafka.connect.storage.StringConverter',
      'value.converter': 'org.apache.kafka.connect.storage.StringConverter',
      'offset.storage.file.filename': join(directory, 'connect.offsets'),
      'offset.flush.interval.ms': 1_000,
      'plugin.discovery': 'only_scan',
      listeners: 'HTTP://127.0.0.1:0',
    };
    const properties = join(directory, 'connect.properties');
    const configuration = join(directory, 'connector.json');
    const lines = Object.entries(worker).map(([name, value]) => `${name}=${value}`);
    writeFileSync(properties, lines.join('\n'));
    writeFileSync(configuration, JSON.stringify(connector));
    const flags = [
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Dlog4j2.level=WARN',
      '-cp',
      `${jars}/*`,
    ];
    const main = 'org.apache.kafka.connect.cli.ConnectStandalone';
    return new KafkaConnect(
      spawn('java', [...flags, main, properties, configuration], { stdio: ['ignore', 'pipe', 'pipe'] }),
    );
  }

  /** The end of what it has printed. */
  get output(): string {
    return this.said;
  }

  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await gone;
  }
}
