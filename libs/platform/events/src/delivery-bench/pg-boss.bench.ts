import { PgBoss } from 'pg-boss';
import {
  type BenchServers,
  CONNECTIONS,
  type Contestant,
  type Handler,
  type Movement,
  type Publisher,
} from './contestant.bench';
import { dropSchema, type PlainTransaction, PlainWriter } from './plain-writer.bench';

const QUEUE = 'moved';
/** Of its documentation: a batch is a fetch and a completion, however many jobs are in it. */
const BATCH = 100;

/**
 * A job is a movement. The policy `key_strict_fifo` keeps the order of each `singletonKey`, the tenant here; workers are woken
 * by NOTIFY, and fetch on while batches are full.
 */
export class PgBossContestant implements Contestant {
  readonly name = 'pg-boss';
  readonly publisher = __filename;
  readonly tables = ['pgboss'];
  private boss: PgBoss | undefined;

  constructor(private readonly servers: BenchServers) {}

  async prepare(): Promise<void> {
    await dropSchema(this.servers.adminUrl, 'pgboss');
    const boss = new PgBoss({ connectionString: this.servers.adminUrl });
    await boss.start();
    await boss.createQueue(QUEUE, { policy: 'key_strict_fifo', notify: true, partition: true });
    await boss.stop();
  }

  async start(handler: Handler): Promise<void> {
    this.boss = new PgBoss({
      connectionString: this.servers.adminUrl,
      application_name: 'bench delivery',
      max: CONNECTIONS,
      useListenNotify: true,
    });
    this.boss.on('error', () => {}); // What it cannot deliver is counted as lost.
    await this.boss.start();
    const options = {
      batchSize: BATCH,
      localConcurrency: 4,
      burstWhenBatchFull: true,
      pollingIntervalSeconds: 0.5,
    };
    await this.boss.work<Movement>(QUEUE, options, (jobs) =>
      Promise.resolve(handler(jobs.map(({ data }) => data))),
    );
  }

  async stop(): Promise<void> {
    await this.boss?.stop({ graceful: false });
  }
}

export async function openPublisher(servers: BenchServers, connectionsMax: number): Promise<Publisher> {
  const writer = new PlainWriter(servers.adminUrl, connectionsMax);
  const boss = new PgBoss({
    connectionString: servers.adminUrl,
    application_name: 'bench writers',
    max: 2,
    supervise: false,
    schedule: false,
  });
  await boss.start();
  const inTransaction = (
    client: PlainTransaction,
    singletonKey: string,
    movements: readonly Movement[],
  ): Promise<unknown> =>
    boss.insert(
      QUEUE,
      movements.map((data) => ({ data, singletonKey })),
      { db: { executeSql: (text, values) => client.query(text, values) } },
    );
  return {
    commit: (tenantId, accountIds, committed) =>
      writer.commit(tenantId, accountIds, { inTransaction }, committed),
    close: async () => {
      await boss.stop({ graceful: false });
      await writer.close();
    },
  };
}
