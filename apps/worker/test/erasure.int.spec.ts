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

const ROWS = 10_000;
const ACCOUNTS = 50;
/** Tables that ingest writes; no event of the log makes a row in them. */
const INGESTED = ['tracked', 'ingest_minutes', 'bad_rows'] as const;

/** People of a tenant, how they came and what was seen of them: what only an issuer, or time, could make otherwise. */
const PEOPLE = `
  with role as (
    insert into identity.roles (tenant_id, id, name, permissions)
    select $1::uuid, gen_random_uuid(), 'role ' || n, '{ledger:read}' from generate_series(1, 20) n
    returning id),
  member as (
    insert into identity.members (tenant_id, id, issuer, subject, email, role_id, source)
    select $1, gen_random_uuid(), 'https://id.example.com', $1 || ' ' || n, n || '@example.com', (select min(id::text)::uuid from role), 'added'
    from generate_series(1, 200) n
    returning id, issuer, subject),
  membership as (
    insert into auth.memberships (issuer, subject, tenant_id, member_id, scopes)
    select issuer, subject, $1, id, '{ledger:read}' from member),
  invitation as (
    insert into identity.invitations (tenant_id, id, token_hash, email, built_in_role, created_by, expires_at)
    select $1, gen_random_uuid(), sha256(convert_to($1 || ' ' || n, 'utf8')), 'guest@example.com', 'member', 'member:x', now()
    from generate_series(1, 50) n),
  issuer as (
    insert into identity.issuers (tenant_id, id, issuer, claim, claim_value)
    select $1, gen_random_uuid(), 'https://id.example.com', 'org', 'o' || n from generate_series(1, 5) n),
  support as (
    insert into identity.support_accesses (tenant_id, id, operator, scopes, reason, expires_at)
    select $1, gen_random_uuid(), 'operator:ann', '{ledger:read}', 'to have rows to erase', now() from generate_series(1, 10) n),
  vault as (
    insert into audit.vaults (tenant_id, key_id) values ($1, gen_random_uuid())),
  subject as (
    insert into audit.subject_keys (tenant_id, subject, key_id, wrapped)
    select $1, gen_random_uuid(), gen_random_uuid(), decode(repeat('00', 60), 'hex') from generate_series(1, 20) n
    returning subject),
  trail_export as (
    insert into audit.exports (tenant_id, id, format, requested_by)
    select $1, gen_random_uuid(), 'csv', 'member:x' from generate_series(1, 5) n
    returning id),
  trail_chunk as (
    insert into audit.export_chunks (tenant_id, export_id, first_byte, byte_count, body)
    select $1, id, 0, 1, decode('00', 'hex') from trail_export),
  request as (
    insert into audit.requests (tenant_id, id, request_id, actor, route, status, address, answered_at)
    select $1, gen_random_uuid(), 'request ' || n, 'api_key:x', 'POST /v1/x', 201, '127.0.0.1', now()
    from generate_series(1, 20) n),
  log_break as (
    insert into audit.breaks (tenant_id, id, kind, epoch, message, last_seen_at)
    values ($1, gen_random_uuid(), 'tile', 1, 'to have rows to erase', now())),
  disclosure as (
    insert into audit.disclosures (tenant_id, event_id, path, subject, sealed)
    select $1, gen_random_uuid(), 'email', subject, decode(repeat('00', 90), 'hex') from subject),
  erased as (
    insert into audit.subject_erasures (tenant_id, subject, related, status, requested_by)
    select $1, gen_random_uuid(), '{}', 'erased', 'member:x' from generate_series(1, 5) n),
  kept as (
    insert into audit.retention (tenant_id) values ($1)),
  hold as (
    insert into audit.legal_holds (tenant_id, id, reason, placed_by, lifted_by, lifted_at)
    select $1, gen_random_uuid(), 'a case that is over', 'member:x', 'member:x', now() from generate_series(1, 5) n),
  parked as (
    insert into events.parked_keys (tenant_id, group_name, key, state, attempts, event_count)
    select $1, 'usage', 'probe/' || n, 'quarantined', 8, 1 from generate_series(1, 10) n),
  behind as (
    insert into events.parked_events (tenant_id, group_name, key, place, event_id)
    select $1, 'usage', 'probe/' || n, 1, gen_random_uuid() from generate_series(1, 10) n),
  used as (
    insert into identity.credential_uses (tenant_id, credential, last_used_at, last_address)
    select $1, 'api_key:' || n, now(), '127.0.0.1' from generate_series(1, 20) n
    returning credential),
  write_key as (
    insert into telemetry.write_keys (tenant_id, id, name, created_by)
    select $1, gen_random_uuid(), 'key ' || n, 'member:x' from generate_series(1, 10) n)
  insert into identity.credential_addresses (tenant_id, credential, address, first_used_at, last_used_at)
  select $1, credential, '127.0.0.1', now(), now() from used`;

/** What the ledger keeps besides accounts and transfers. The timeouts are far away, so that no sweeper comes for them; nor does a control. */
const LEDGER = `
  with key as (
    insert into ledger.keys (tenant_id, idempotency_key, transfer_id, id_given, fingerprint)
    select $1::uuid, gen_random_uuid(), gen_random_uuid(), false, sha256('x') from generate_series(1, 100) n),
  timeout as (
    insert into ledger.timeouts (tenant_id, hold_id, expires_at)
    select $1, gen_random_uuid(), now() + interval '1 year' from generate_series(1, 10) n),
  control as (
    insert into ledger.controls (tenant_id, tick, full_due_at) values ($1, 9223372036854775807, 'infinity')),
  break as (
    insert into ledger.breaks (tenant_id, id, rule, relation, row_id, expected)
    select $1, gen_random_uuid(), 'sum', 'ledger.accounts', 'EUR/' || n, 'none' from generate_series(1, 5) n)
  insert into ledger.books (tenant_id, closed_through) values ($1, '2020-01-01')`;

/** Webhooks with what was delivered to them; all is under way elsewhere, so that no worker sends to nowhere or tidies up. */
const WEBHOOKS = `
  with endpoint as (
    insert into webhooks.endpoints (tenant_id, id, url, event_types, signing, created_by, disabled_at, disabled_reason)
    select $1::uuid, gen_random_uuid(), 'https://example.com/' || n, '{*}', 'hmac-sha256', 'member:x', now(), 'tenant'
    from generate_series(1, 5) n
    returning id),
  secret as (
    insert into webhooks.secrets (tenant_id, id, endpoint_id, scheme, sealed, key_id)
    select $1, gen_random_uuid(), id, 'hmac-sha256', decode(repeat('00', 60), 'hex'), 'test' from endpoint),
  delivery as (
    insert into webhooks.deliveries (tenant_id, id, endpoint_id, event_id, event_type, stream, seq, status)
    select $1, gen_random_uuid(), id, gen_random_uuid(), 'a.b.made', 'a.b/' || n, n, 'delivered'
    from endpoint cross join generate_series(1, 100) n
    returning id),
  lane as (
    insert into webhooks.lanes (tenant_id, endpoint_id, stream, due_at, holder)
    select $1, id, 'a.b/' || n, 'infinity', gen_random_uuid() from endpoint cross join generate_series(1, 10) n)
  insert into webhooks.attempts (tenant_id, delivery_id, number, started_at, outcome, latency_ms, url, request_headers)
  select $1, id, 1, now(), 'delivered', 5, 'https://example.com/', '{}' from delivery`;

/** The sealed log, who cosigns it and has; nothing is offered before its time. */
const SEALED_LOG = `
  with tree as (
    insert into audit.trees (tenant_id, epoch, lineage, size, earlier)
    values ($1::uuid, 1, 1, 1, pg_current_snapshot())),
  epoch as (
    insert into audit.epochs (tenant_id, epoch, entry) values ($1, 1, '{}')),
  tile as (
    insert into audit.tiles (tenant_id, epoch, level, tile, width, hashes)
    select $1, 1, 0, n, 1, decode(repeat('00', 32), 'hex') from generate_series(0, 9) n),
  leaf as (
    insert into audit.leaves (tenant_id, epoch, tile, event_ids, prints)
    select $1, 1, n, array[gen_random_uuid()], decode(repeat('00', 32), 'hex') from generate_series(0, 9) n),
  checkpoint as (
    insert into audit.checkpoints (tenant_id, epoch, hour, size, root, note)
    values ($1, 1, '2026-01-01Z', 1, decode(repeat('00', 32), 'hex'), 'note')),
  witness as (
    insert into audit.witnesses (tenant_id, id, verifier_key, url, created_by)
    select $1, gen_random_uuid(), 'witness-' || n, 'https://example.com/' || n, 'member:x' from generate_series(1, 5) n
    returning verifier_key),
  offer as (
    insert into audit.offers (tenant_id, witness, tick, due_at)
    select $1, verifier_key, 9223372036854775807, 'infinity' from witness)
  insert into audit.cosignatures (tenant_id, epoch, witness, size, note, signatures, cosigned_at)
  select $1, 1, verifier_key, 1, 'note', 'signature', now() from witness`;

/** One that has ended: open ones would keep the tenant from being erased. */
const SAGAS = `with saga as (
    insert into sagas.sagas (tenant_id, id, name, hash, state, input, due_at, deadline_at, correlation_id, started_by, ended_at)
    values ($1, gen_random_uuid(), 'test.trip', '0', 'completed', '{}', null, now(), 'none', 'member:x', now()))
  insert into sagas.participations (tenant_id, id, saga_id, name, step, state)
  values ($1, gen_random_uuid(), gen_random_uuid(), 'test.trip', 'hotel', 'completed')`;

const PAYMENTS = `with payment as (
    insert into payments.payments (tenant_id, id, direction, counterparty_id, account_id, amount, asset, status, ended_at)
    values ($1, gen_random_uuid(), 'incoming', gen_random_uuid(), gen_random_uuid(), 5, 'EUR/2', 'compensated', now()))
  insert into payments.clearings (tenant_id, counterparty_id, asset, account_id)
  values ($1, gen_random_uuid(), 'EUR/2', gen_random_uuid())`;

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
