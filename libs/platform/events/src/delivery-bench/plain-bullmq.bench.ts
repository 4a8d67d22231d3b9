import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { BenchServers, Contestant, Handler, Movement, Publisher } from './contestant.bench';
import { PlainWriter } from './plain-writer.bench';

const QUEUE = 'moved';

/**
 * A job is a movement, added once its transaction has committed: what most do who have Redis and no outbox. A process that dies
 * between the two loses it. Order needs a worker with a concurrency of 1: groups are part of the commercial edition.
 */
export class PlainBullMqContestant implements Contestant {
  readonly name = 'BullMQ on Redis, after commit';
  readonly publisher = __filename;
  readonly tables = [];
  private worker: Worker | undefined;
  private connection: Redis | undefined;

  constructor(private readonly servers: BenchServers) {}

  async prepare(): Promise<void> {
    const connection = connectionTo(this.servers);
    const queue = new Queue(QUEUE, { connection });
    await queue.obliterate({ force: true });
    await queue.close();
    connection.disconnect();
  }

  async start(handler: Handler): Promise<void> {
    const work = ({ data }: { readonly data: Movement }): Promise<void> => Promise.resolve(handler([data]));
    this.connection = connectionTo(this.servers);
    this.worker = new Worker<Movement>(QUEUE, work, {
      connection: this.connection,
      concurrency: 1,
      removeOnComplete: { count: 0 },
    });
    await this.worker.waitUntilReady();
  }

  async stop(): Promise<void> {
    await this.worker?.close();
    this.connection?.disconnect();
  }
}

export function openPublisher(servers: BenchServers, connectionsMax: number): Promise<Publisher> {
  const writer = new PlainWriter(servers.adminUrl, connectionsMax);
  const connection = connectionTo(servers);
  const queue = new Queue<Movement>(QUEUE, { connection });
  const afterCommit = (_tenantId: string, movements: readonly Movement[]): Promise<unknown> =>
    queue.addBulk(movements.map((data) => ({ name: QUEUE, data })));
  return Promise.resolve({
    commit: (tenantId, accountIds, committed) =>
      writer.commit(tenantId, accountIds, { afterCommit }, committed),
    close: async () => {
      await queue.close();
      connection.disconnect();
      await writer.close();
    },
  });
}

function connectionTo({ backend }: BenchServers): Redis {
  return new Redis(backend.url, { maxRetriesPerRequest: null });
}
