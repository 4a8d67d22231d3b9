import { newId } from '@holdfast/kernel';
import type { Database } from '@holdfast/database';
import { callerOf, Grants, TenantDatabase } from '@holdfast/tenancy';
import { TestCluster } from '@holdfast/testing';
import { Client } from 'pg';
import { acquireLease, makeTick } from './ticks.sql';
import { verifyLineage } from './lineage.sql';

const OPEN = 500;
const FRESH = 20;

interface Plan {
  readonly Plan: { readonly 'Shared Hit Blocks': number; readonly 'Shared Read Blocks': number };
}

/** Pages of 8 KiB that a statement touched, and rows of the log that it read. */
interface Cost {
  readonly pages: number;
  readonly rows: number;
}

// Guards «cost follows new rows»: what a tick and a range touch depends on what is new and on how many transactions are open, and not
// on how long the log is. Pages and rows are counted, not time.
describe('The cost of a tick and of a range, with 500 transactions open', () => {
  let cluster: TestCluster;
  let relay: Database;
  let grants: Grants;
  let tenants: TenantDatabase;
  let lease: { holder: string; fence: bigint; leaseMs: number };
  const tenantIds = Array.from({ length: 20 }, () => newId());

  beforeAll(async () => {
    // Prepared transactions are open ones that need no connection each.
    cluster = await TestCluster.create({ max_prepared_transactions: String(OPEN + 10) });
    relay = cluster.as('holdfast_relay', 2);
    tenants = new TenantDatabase(cluster.as('holdfast_app', 4));
    grants = new Grants(cluster.as('holdfast_auth', 1));
    await verifyLineage(relay, undefined, false);
    lease = { holder: 'cost', fence: (await acquireLease(relay, 'cost', 600_000)) ?? 0n, leaseMs: 600_000 };
    const client = new Client({ connectionString: cluster.url() });
    await client.connect();
    for (let i = 0; i < OPEN; i += 1) {
      await client.query('begin');
      await client.query('select pg_current_xact_id()');
      await client.query(`prepare transaction 'open ${i}'`);
    }
    await client.end();
  }, 60_000);
  afterAll(async () => {
    grants.close();
    await cluster.drop();
  });

  const append = async (count: number): Promise<void> => {
    for (const tenantId of tenantIds) {
      const caller = callerOf(await grants.forSystem('test', tenantId), { requestId: newId() });
      const events = Array.from({ length: count / tenantIds.length }, () => {
        const id = newId();
        return {
          id,
          type: 'probe.made',
          schemaVersion: 1,
          streamType: 'probe',
          streamId: id,
          streamVersion: 1n,
          payload: '{}',
        };
      });
      await tenants.transaction(caller, (tx) => tx.announce(...events));
    }
  };
  /** Runs a statement as the superuser and answers what it touched; the second run, when nothing is read for the first time. */
  const costOf = async (text: string, values: readonly unknown[]): Promise<Cost> => {
    const client = new Client({ connectionString: cluster.url() });
    await client.connect();
    try {
      await client.query('begin');
      await client.query('savepoint s');
      await client.query(text, [...values]);
      await client.query('rollback to savepoint s');
      const before = await rowsOf(client);
      const { rows } = await client.query<{ 'QUERY PLAN': Plan[] }>(
        `explain (analyze, buffers, timing off, format json) ${text}`,
        [...values],
      );
      const [plan] = rows[0]?.['QUERY PLAN'] ?? [];
      if (!plan) throw new Error('there is no plan');
      const pages = plan.Plan['Shared Hit Blocks'] + plan.Plan['Shared Read Blocks'];
      return { pages, rows: (await rowsOf(client)) - before };
    } finally {
      await client.query('rollback');
      await client.end();
    }
  };
  const rowsOf = async (client: Client): Promise<number> => {
    const { rows } = await client.query<{ read: string }>(
      `select seq_tup_read + idx_tup_fetch as read from pg_stat_xact_user_tables where schemaname = 'events' and relname = 'log'`,
    );
    return Number(rows[0]?.read);
  };
  const measured = async (): Promise<{
    readonly look: Cost;
    readonly tick: Cost;
    readonly range: Cost;
    readonly page: Cost;
  }> => {
    const ask = 'select * from events.tick($1, $2, $3)';
    const holder = [lease.holder, lease.fence, lease.leaseMs];
    const before = (await makeTick(relay, lease))?.id ?? (await newest());
    const look = await costOf(ask, holder);
    await append(FRESH);
    const tick = await costOf(ask, holder);
    await makeTick(relay, lease);
    const range = await costOf('select * from events.read_range($1, $2, 0, null, 1000)', [
      before,
      await newest(),
    ]);
    const page = await costOf('select * from events.read_tenant_range($1, $2, $3, 0, 1000)', [
      tenantIds[0],
      before,
      await newest(),
    ]);
    return { look, tick, range, page };
  };
  const newest = async (): Promise<bigint> => {
    const [tick] = await cluster.admin<{ id: string }>('select max(id) as id from events.ticks');
    return BigInt(tick?.id ?? 0);
  };

  it('is that of the new rows, in a log of two thousand events and of forty thousand', async () => {
    await append(2_000);
    const short = await measured();
    for (let i = 0; i < 10; i += 1) await append(4_000);
    const long = await measured();
    expect(short.look.rows).toBe(0);
    expect(long.look.rows).toBe(0);
    // Once to see whether there is anything, which ends with the first, and once to count: no row twice.
    expect(long.tick.rows).toBeLessThanOrEqual(FRESH + 2);
    expect(long.range.rows).toBe(FRESH);
    expect(long.page.rows).toBe(1);
    // An index of forty thousand rows is a level deeper; 500 probes of it touch a page more each at most, and no table page.
    for (const what of ['look', 'tick', 'range', 'page'] as const)
      expect(long[what].pages).toBeLessThanOrEqual(short[what].pages + 2 * OPEN + 50);
  }, 120_000);
});
