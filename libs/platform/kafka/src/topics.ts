import { Admin, UserError } from '@platformatic/kafka';
import { isAnswer } from './kafka-errors';
import { clientOptions, type KafkaOptions } from './kafka-clients';

/** The broker's own limit is 1 MiB and a little; an event of a request of 1 MiB, with its headers, has to fit. */
const MESSAGE_BYTES_MAX = String(2 * 1024 * 1024);
/** Of the topic of positions: small segments, so that compaction soon leaves one message of each group. */
const POSITIONS = {
  'cleanup.policy': 'compact',
  'segment.bytes': '1048576',
  'min.cleanable.dirty.ratio': '0.1',
};

/** The topics that messages go to, made where they are not there. */
export class Topics {
  private readonly known = new Set<string>();
  private readonly admin: Admin;

  constructor(private readonly options: KafkaOptions) {
    this.admin = new Admin(clientOptions(options));
  }

  /** Sees to it that the topics are there; throws what Kafka answers where one is not and may not be made. */
  async ensure(names: Iterable<string>): Promise<void> {
    const { partitions, retentionMs } = this.options.topics;
    const settings = { 'max.message.bytes': MESSAGE_BYTES_MAX, 'retention.ms': String(retentionMs) };
    for (const name of new Set(names)) await this.ensureOne(name, partitions, settings);
  }

  /** The topic of positions: one partition, compacted. */
  ensurePositions(name: string): Promise<void> {
    return this.ensureOne(name, 1, POSITIONS);
  }

  /** A topic that somebody has deleted is made again when it is next looked for. */
  forget(): void {
    this.known.clear();
  }

  /** Asks for the cluster's metadata. */
  async ping(): Promise<void> {
    await this.admin.metadata({ topics: [], forceUpdate: true });
  }

  close(): void {
    for (const [, connection] of this.admin.connections) connection.socket?.destroy();
    this.admin.close().catch(() => {}); // Nothing is expected from it any more.
  }

  private async ensureOne(
    name: string,
    partitions: number,
    settings: Readonly<Record<string, string>>,
  ): Promise<void> {
    if (this.known.has(name)) return;
    if (!(await this.exists(name))) await this.create(name, partitions, settings);
    this.known.add(name);
  }

  private async exists(name: string): Promise<boolean> {
    try {
      await this.admin.metadata({ topics: [name], forceUpdate: true, retries: 0 });
      return true;
    } catch (error) {
      // The client answers for Kafka here, as if the caller had misspelt the topic.
      if (error instanceof UserError || isAnswer(error, ['UNKNOWN_TOPIC_OR_PARTITION'])) return false;
      throw error;
    }
  }

  private async create(
    name: string,
    partitions: number,
    settings: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { replicas } = this.options.topics;
    const configs = Object.entries(settings).map(([key, value]) => ({ name: key, value }));
    try {
      await this.admin.createTopics({ topics: [name], partitions, replicas, configs });
    } catch (error) {
      if (!isAnswer(error, ['TOPIC_ALREADY_EXISTS'])) throw error; // Somebody was quicker.
    }
  }
}
