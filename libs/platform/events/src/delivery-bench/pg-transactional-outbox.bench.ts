import { newId } from '@holdfast/kernel';
import { Client } from 'pg';
import {
  createReplicationSegmentMutexConcurrencyController,
  DatabaseSetup,
  getDisabledLogger,
  initializeMessageStorage,
  initializeReplicationMessageListener,
  type ReplicationListenerConfig,
} from 'pg-transactional-outbox';
import type { BenchServers, Contestant, Handler, Movement, Publisher } from './contestant.bench';
import { type PlainTransaction, PlainWriter } from './plain-writer.bench';

const SETUP = {
  outboxOrInbox: 'outbox',
  database: 'postgres',
  schema: 'outbox',
  table: 'outbox',
  listenerRole: 'postgres',
  publication: 'outbox_pub',
  replicationSlot: 'outbox_slot',
} as const;

/**
 * A message is a movement. Logical replication, which its documentation prefers for order and for latency; messages of a segment, the
 * tenant here, are handled one after the other.
 */
export class TransactionalOutboxContestant implements Contestant {
  readonly name = 'pg-transactional-outbox';
  readonly publisher = __filename;
  readonly tables = ['outbox'];
  private end: (() => Promise<void>) | undefined;

  constructor(private readonly servers: BenchServers) {}

  async prepare(): Promise<void> {
    const client = new Client({ connectionString: this.servers.adminUrl });
    await client.connect();
    try {
      await client.query(DatabaseSetup.dropAndCreateTable(SETUP));
      await client.query(DatabaseSetup.setupReplicationCore(SETUP));
      await client.query(
        'select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1',
        [SETUP.replicationSlot],
      );
      await client.query('select pg_create_logical_replication_slot($1, $2)', [
        SETUP.replicationSlot,
        'pgoutput',
      ]);
    } finally {
      await client.end();
    }
  }

  start(handler: Handler): Promise<void> {
    const handle = ({ payload }: { readonly payload: unknown }): Promise<void> =>
      Promise.resolve(handler([payload as Movement]));
    const [end] = initializeReplicationMessageListener(
      configOf(this.servers),
      { handle },
      getDisabledLogger(),
      { concurrencyStrategy: createReplicationSegmentMutexConcurrencyController() },
    );
    this.end = end;
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    await this.end?.();
  }
}

export function openPublisher(servers: BenchServers, connectionsMax: number): Promise<Publisher> {
  const writer = new PlainWriter(servers.adminUrl, connectionsMax);
  const store = initializeMessageStorage(configOf(servers), getDisabledLogger());
  const inTransaction = async (
    client: PlainTransaction,
    segment: string,
    movements: readonly Movement[],
  ): Promise<void> => {
    for (const payload of movements) {
      const about = { aggregateType: 'account', aggregateId: String(payload.place), messageType: 'moved' };
      await store({ id: newId(), ...about, segment, payload }, client as never);
    }
  };
  return Promise.resolve({
    commit: (tenantId, accountIds, committed) =>
      writer.commit(tenantId, accountIds, { inTransaction }, committed),
    close: () => writer.close(),
  });
}

function configOf({ adminUrl }: BenchServers): ReplicationListenerConfig {
  const { hostname: host, port, username: user, password, pathname } = new URL(adminUrl);
  const connection = {
    host,
    port: Number(port),
    user,
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    application_name: 'bench delivery',
  };
  return {
    outboxOrInbox: 'outbox',
    dbListenerConfig: connection,
    dbHandlerConfig: connection,
    settings: {
      dbSchema: SETUP.schema,
      dbTable: SETUP.table,
      dbPublication: SETUP.publication,
      dbReplicationSlot: SETUP.replicationSlot,
      enableMaxAttemptsProtection: false,
      enablePoisonousMessageProtection: false,
    },
  };
}
