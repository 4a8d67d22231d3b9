import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { newId } from '@holdfast/kernel';
import { LogicalServer } from '@holdfast/testing';
import { appendUnderLock, prepareKeys } from '../test/event-writers';

/** The columns of the log that those outside read: a contract, in this order. */
const CONTRACT = {
  seq: 'bigint',
  xid: 'xid8',
  tenant_id: 'uuid',
  id: 'uuid',
  stream_type: 'text',
  stream_id: 'uuid',
  stream_version: 'bigint',
  type: 'text',
  schema_version: 'integer',
  actor: 'text',
  correlation_id: 'text',
  causation_id: 'text',
  traceparent: 'text',
  occurred_at: 'timestamp with time zone',
  data: 'jsonb',
  act: 'text',
};

const connector = JSON.parse(
  readFileSync(resolve(__dirname, '../../../../deploy/debezium/connector.json'), 'utf8'),
) as { readonly config: Readonly<Record<string, string>> };

/** Reads the messages of pgoutput's protocol 1 that name columns and carry rows; begins and commits are left out. */
class Changes {
  readonly rows: Readonly<Record<string, string | null>>[] = [];
  readonly kinds: string[] = [];
  private columns: readonly string[] = [];

  read(message: Buffer): void {
    const kind = message.toString('latin1', 0, 1);
    this.kinds.push(kind);
    if (kind === 'R') this.columns = this.columnsOf(message);
    if (kind === 'I') this.rows.push(this.rowOf(message));
  }

  private columnsOf(message: Buffer): string[] {
    let at = 5; // The kind, and the relation's id.
    const text = (): string => {
      const end = message.indexOf(0, at);
      const found = message.toString('utf8', at, end);
      at = end + 1;
      return found;
    };
    const name = `${text()}.${text()}`;
    if (name !== 'events.log') throw new Error(`${name} is published`);
    const count = message.readInt16BE(at + 1); // Behind the replica identity.
    at += 3;
    return Array.from({ length: count }, () => {
      at += 1; // Flags.
      const column = text();
      at += 8; // Type and its modifier.
      return column;
    });
  }

  private rowOf(message: Buffer): Record<string, string | null> {
    let at = 8; // The kind, the relation's id, `N` and the number of columns.
    return Object.fromEntries(
      this.columns.map((column) => {
        const isNull = message.toString('latin1', at, at + 1) === 'n';
        const length = isNull ? 0 : message.readInt32BE(at + 1);
        const value = isNull ? null : message.toString('utf8', at + 5, at + 5 + length);
        at += isNull ? 1 : 5 + length;
        return [column, value];
      }),
    );
  }
}

// Guards the contract of change data capture: every event that is appended, once, in the order of commits, and nothing else.
describe('The publication of the log', () => {
  let server: LogicalServer;

  beforeAll(async () => {
    server = await LogicalServer.start();
    await server.database.admin(`select pg_create_logical_replication_slot('test', 'pgoutput')`);
  }, 120_000);
  afterAll(() => server.close());

  async function changes(): Promise<Changes> {
    const read = await server.database.admin<{ data: Buffer }>(
      `select data from pg_logical_slot_get_binary_changes('test', null, null, 'proto_version', '1',
         'publication_names', 'holdfast_events')`,
    );
    const found = new Changes();
    for (const { data } of read) found.read(data);
    return found;
  }

  it('has every event once, in the order of commits, and of each stream in the order of its versions', async () => {
    const { database } = server;
    const caller = await database.caller(newId());
    const keys = Array.from({ length: 4 }, () => newId());
    await prepareKeys(database, caller.tenantId, keys);
    const tenants = database.tenants(4);
    const late = Promise.withResolvers<void>();
    const appended = Promise.withResolvers<void>();
    const order: string[] = [];
    // The first to append is the last to commit.
    const slow = tenants.transaction(caller, async (tx) => {
      const made = await appendUnderLock(tx, [keys[0]!]);
      appended.resolve();
      await late.promise;
      return made;
    });
    await appended.promise;
    for (let turn = 0; turn < 30; turn += 1) {
      const writing = tenants.transaction(caller, async (tx) => {
        const made = await appendUnderLock(tx, [keys[1 + (turn % 3)]!]);
        if (turn % 10 === 9) throw new Error('taken back');
        return made;
      });
      order.push(...(await writing.catch(() => [])));
    }
    late.resolve();
    order.push(...(await slow));
    const { rows, kinds } = await changes();
    expect(rows.map((row) => `${row['stream_id']}/${row['stream_version']}`)).toEqual(order);
    const seqs = rows.map((row) => Number(row['seq']));
    expect(seqs.at(-1)).toBe(Math.min(...seqs));
    expect(new Set(kinds)).toEqual(new Set(['B', 'R', 'I', 'C']));
    for (const stream of Map.groupBy(rows, (row) => row['stream_id']).values()) {
      expect(stream.map((row) => Number(row['stream_version']))).toEqual(stream.map((_, place) => place + 1));
    }
    const [logged] = await database.admin<{ events: number }>(
      'select count(*)::int as events from events.log',
    );
    expect(rows).toHaveLength(logged?.events ?? 0);
  });

  it('has the columns that the contract names, and no other table', async () => {
    const columns = await server.database.admin<{ name: string; type: string }>(
      `select attname::text as name, format_type(atttypid, atttypmod) as type from pg_attribute
       where attrelid = 'events.log'::regclass and attnum > 0 and not attisdropped order by attnum`,
    );
    expect(Object.fromEntries(columns.map(({ name, type }) => [name, type]))).toEqual(CONTRACT);
    const caller = await server.database.caller(newId());
    await server.database.admin(`insert into probe.keys (tenant_id, key) values ($1, $2)`, [
      caller.tenantId,
      newId(),
    ]);
    expect((await changes()).rows).toEqual([]);
  });

  it('is not for the roles of processes', async () => {
    for (const role of ['holdfast_app', 'holdfast_relay', 'holdfast_ops'] as const) {
      const [row] = await server.database.admin<{ rolreplication: boolean; rolsuper: boolean }>(
        'select rolreplication, rolsuper from pg_roles where rolname = $1',
        [role],
      );
      expect(row).toEqual({ rolreplication: false, rolsuper: false });
    }
  });

  it('is what the configuration of Debezium names, with columns that exist', () => {
    const { config } = connector;
    expect(config).toMatchObject({
      'publication.name': 'holdfast_events',
      'publication.autocreate.mode': 'disabled',
      'table.include.list': 'events.log',
      'plugin.name': 'pgoutput',
    });
    const fields = Object.entries(config)
      .filter(([name]) => name.includes('.table.field.') || name.endsWith('route.by.field'))
      .map(([, column]) => column);
    const placed = (config['transforms.event.table.fields.additional.placement'] ?? '').split(',');
    const named = [...fields, ...placed.map((placement) => placement.split(':')[0] ?? '')];
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((column) => !(column in CONTRACT))).toEqual([]);
  });
});
