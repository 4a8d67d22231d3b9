import { generateKeyPairSync } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readConfig } from '@holdfast/config';
import { type Caller, newId } from '@holdfast/kernel';
import { ClickHouseSink, TelemetryStore, TENANT_TABLES } from '@holdfast/clickhouse';
import { MessagesModule } from '@holdfast/cqrs';
import { CreateApiKey, generateApiKey, IdentityModule } from '@holdfast/identity';
import { LedgerModule, OpenAccount, PostTransfers } from '@holdfast/ledger';
import { createLogger } from '@holdfast/observability';
import { ClickHouseConsumer } from '@holdfast/telemetry';
import { callerOf, Grants } from '@holdfast/tenancy';
import {
  CreateTenant,
  ErasureReceipts,
  OrderErasure,
  RequestExport,
  TenantDirectory,
  TenantsModule,
} from '@holdfast/tenants';
import { TestClickHouse, TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { compactVerify, createLocalJWKSet } from 'jose';
import { type RunningWorker, startWorker } from '../src/worker';
import { LEDGER, PAYMENTS, PEOPLE, SAGAS, SEALED_LOG, WEBHOOKS } from './rows-to-erase';

const ROWS = 10_000;
const ACCOUNTS = 50;
/** Tables that ingest writes; no event of the log makes a row in them. */
const INGESTED = ['tracked', 'ingest_minutes', 'bad_rows'] as const;

/** Nothing of an erased tenant is left but its receipt, and nothing of any other tenant has changed. */
describe('Erasing a tenant', () => {
  let database: TestDatabase;
  let clickHouse: TestClickHouse;
  let telemetry: TelemetryStore;
  let app: INestApplicationContext;
  let worker: RunningWorker;
  let doomed: Caller;
  let other: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    clickHouse = await TestClickHouse.open('chdb');
    telemetry = new TelemetryStore(clickHouse.endpoint);
    await telemetry.migrate();
    const imports = [
      MessagesModule.forRoot(database.tenants()),
      IdentityModule.forRoot(new Grants(database.as('holdfast_auth'))),
      TenantsModule.forRoot(database.as('holdfast_ops')),
      LedgerModule,
    ];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
    worker = await start();
    [doomed, other] = [await fill('doomed'), await fill('other')];
  }, 120_000);
  afterAll(async () => {
    await worker.stop();
    await app.close();
    await telemetry.close();
    await clickHouse.close();
    await database.drop();
  });

  function start(): Promise<RunningWorker> {
    const { privateKey } = generateKeyPairSync('ed25519');
    const config = readConfig('worker', {
      DATABASE_URL: database.url('holdfast_app'),
      DATABASE_AUTH_URL: database.url('holdfast_auth'),
      DATABASE_RELAY_URL: database.url('holdfast_relay'),
      DATABASE_JOBS_URL: database.url('holdfast_jobs'),
      CLICKHOUSE_URL: 'http://127.0.0.1:1/unused',
      RECEIPT_KEY_PRIVATE: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      NODE_ENV: 'test',
    });
    const logger = createLogger({ app: 'worker', level: 'warn' });
    return startWorker(config, { logger, telemetry, serveMetrics: false, eraseAfterSeconds: 1 });
  }

  async function operator(tenantId: string): Promise<Caller> {
    const grants = new Grants(database.as('holdfast_auth', 1));
    return callerOf(await grants.forSystem('operator', tenantId, '', 'operator:ann'), { requestId: newId() });
  }

  /** A tenant with rows in every table that a module has. */
  async function fill(slug: string): Promise<Caller> {
    const commands = app.get(CommandBus);
    const caller = await operator(newId());
    await commands.execute(new CreateTenant(caller, { slug, name: slug }));
    for (let n = 0; n < 10; n += 1) {
      const input = { name: `key ${n}`, scopes: ['*' as const], reason: 'to have rows to erase' };
      await commands.execute(new CreateApiKey(caller, input, generateApiKey('live')));
    }
    const accounts: string[] = [];
    for (let n = 0; n < ACCOUNTS; n += 1) {
      const input = {
        code: `a${n}`,
        asset: 'EUR/2',
        normalBalance: 'debit',
        limit: 'none',
        metadata: {},
      } as const;
      const idempotency = { key: `account ${n}`, replayed: false };
      accounts.push((await commands.execute(new OpenAccount(caller, input, idempotency))).id);
    }
    const items = Array.from({ length: 4_400 }, (_, n) => ({
      id: newId(),
      debitAccountId: accounts[n % ACCOUNTS]!,
      creditAccountId: accounts[(n + 1) % ACCOUNTS]!,
      amount: 1n,
      pending: false,
      timeoutSeconds: null,
      linked: false,
      metadata: {},
    }));
    await commands.execute(new PostTransfers(caller, { items }));
    await database.admin(PEOPLE, [caller.tenantId]);
    await database.admin(LEDGER, [caller.tenantId]);
    await database.admin(WEBHOOKS, [caller.tenantId]);
    await database.admin(SEALED_LOG, [caller.tenantId]);
    await database.admin(SAGAS, [caller.tenantId]);
    await database.admin(PAYMENTS, [caller.tenantId]);
    await commands.execute(new RequestExport(caller, {}));
    await delivered(caller.tenantId);
    await ingested(caller.tenantId);
    return caller;
  }

  /** A row in each table that ingest writes. */
  async function ingested(tenantId: string): Promise<void> {
    // Closed with the store: they have one connection.
    const sink = new ClickHouseSink(clickHouse.endpoint);
    const at = new Date().toISOString();
    const line = JSON.stringify({ tenant_id: tenantId, at, received_at: at, keep_days: 30 });
    for (const table of INGESTED)
      await sink.store({ table, token: newId(), rows: [{ tenantId, priority: 'normal', line }] });
  }

  async function delivered(tenantId: string): Promise<void> {
    const settled = async (): Promise<boolean> => {
      const [counted] = await database.admin<{ events: number; used: number; completed: number }>(
        `select (select count(*) from events.log where tenant_id = $1)::int as events,
           (select coalesce(sum(event_count), 0) from tenants.usage_counts where tenant_id = $1)::int as used,
           (select count(*) from tenants.exports where tenant_id = $1 and status = 'completed')::int as completed`,
        [tenantId],
      );
      const stored = await telemetry.countRows(tenantId);
      return counted?.completed === 1 && counted.events === counted.used && Number(stored) === counted.events;
    };
    for (let look = 0; look < 600 && !(await settled()); look += 1) await sleep(100);
    expect(await settled()).toBe(true);
  }

  async function tenantTables(): Promise<string[]> {
    const rows = await database.admin<{ relation: string }>(
      'select relation::text from tenancy.tenant_tables() order by 1',
    );
    return rows.map(({ relation }) => relation);
  }

  /** Every row of a tenant in every table of the catalogue, as text. */
  async function rowsOf(tenantId: string): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (const relation of await tenantTables()) {
      const [row] = await database.admin<{ rows: string | null }>(
        `select string_agg(t::text, chr(10) order by t::text) as rows from ${relation} t where tenant_id = $1`,
        [tenantId],
      );
      if (row?.rows) found.set(relation, row.rows);
    }
    return found;
  }

  /** The tables of BullMQ that name a tenant. */
  async function queuedOf(tenantId: string): Promise<string[]> {
    const tables = await database.admin<{ relation: string }>(
      `select oid::regclass::text as relation from pg_class where relnamespace = 'jobs'::regnamespace and relkind = 'r'`,
    );
    const found: string[] = [];
    for (const { relation } of tables) {
      const rows = await database.admin(`select from ${relation} t where t::text like $1`, [`%${tenantId}%`]);
      if (rows.length > 0) found.push(relation);
    }
    expect(tables.length).toBeGreaterThan(0);
    return found;
  }

  /** What ClickHouse holds of a tenant, as text. */
  async function storedOf(tenantId: string): Promise<string> {
    const text =
      'select toString(tuple(id, at, type, actor, data, seq)) as row from telemetry.tenant_events(tenant_id = {tenant_id:UUID}) order by id';
    return JSON.stringify(await telemetry.read(tenantId, { text }, {}));
  }

  it('leaves no row of it anywhere, and every row of another as it was', async () => {
    const before = await rowsOf(doomed.tenantId);
    const total = [...before.values()].reduce((sum, rows) => sum + rows.split('\n').length, 0);
    expect(total).toBeGreaterThan(ROWS);
    // Over all modules: a table that is added tomorrow has to have rows here as well.
    expect([...before.keys()]).toEqual(await tenantTables());
    const [others, stored] = [await rowsOf(other.tenantId), await storedOf(other.tenantId)];
    const othersStored = await telemetry.countRows(other.tenantId);

    const input = { graceDays: 0, confirmSlug: 'doomed' };
    await app.get(CommandBus).execute(new OrderErasure(await operator(doomed.tenantId), input));
    const directory = app.get(TenantDirectory, { strict: false });
    for (let look = 0; look < 600; look += 1) {
      if ((await directory.get(doomed.tenantId)).state === 'erased') break;
      await sleep(100);
    }
    expect(await directory.get(doomed.tenantId)).toMatchObject({ state: 'erased', slug: null, name: null });
    expect(await rowsOf(doomed.tenantId)).toEqual(new Map());
    expect(await telemetry.countRows(doomed.tenantId)).toBe(0n);
    expect(await queuedOf(doomed.tenantId)).toEqual([]);

    const after = await rowsOf(other.tenantId);
    expect([...after.keys()]).toEqual([...others.keys()]);
    for (const [table, rows] of others) expect([table, after.get(table) === rows]).toEqual([table, true]);
    expect(await storedOf(other.tenantId)).toBe(stored);
    expect(await telemetry.countRows(other.tenantId)).toBe(othersStored);

    const receipts = app.get(ErasureReceipts, { strict: false });
    const { receipt } = await receipts.get(doomed.tenantId);
    const keys = createLocalJWKSet(await receipts.keys());
    const { payload } = await compactVerify(receipt, keys);
    const said = JSON.parse(Buffer.from(payload).toString()) as {
      readonly tables: Readonly<Record<string, number>>;
      readonly [field: string]: unknown;
    };
    expect(said).toMatchObject({
      tenantId: doomed.tenantId,
      stores: { clickhouse: String(Number(said.tables['events.log']) + INGESTED.length) },
      check: { rowsLeft: 0 },
    });
    // What it says of tables that no consumer writes to is what had been there.
    for (const [table, rows] of before)
      if (!/cursors|heads|tasks|answers|log|tenants|usage|deliveries/.test(table))
        expect([table, said.tables[table]]).toEqual([table, rows.split('\n').length]);
    process.stdout.write(
      `erased ${total} rows of ${before.size} tables, ${said.tables['events.log']} rows of ClickHouse\n`,
    );
  }, 120_000);

  it('frees the slug', async () => {
    const caller = await operator(newId());
    const made = app.get(CommandBus).execute(new CreateTenant(caller, { slug: 'doomed', name: 'again' }));
    expect(await made).toMatchObject({ state: 'active' });
  });

  it('knows every table of ClickHouse that holds rows of tenants', async () => {
    const text = `select name as table from system.tables
      where database = 'telemetry' and engine like '%MergeTree' and name in (
        select table from system.columns where database = 'telemetry' and name = 'tenant_id')`;
    const tables = (await telemetry.read<{ table: string }>(other.tenantId, { text }, {})).map(
      ({ table }) => table,
    );
    expect(tables.toSorted()).toEqual(TENANT_TABLES.toSorted());
    expect(new ClickHouseConsumer(telemetry).name).toBe('clickhouse');
  });
});
