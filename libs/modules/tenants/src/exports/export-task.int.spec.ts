import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import type { Caller } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { announcement, eventType, Grants } from '@holdfast/tenancy';
import { z } from 'zod';
import { TenantsApp } from '../../test/tenants-app';
import { TaskRunner } from '@holdfast/tasks';
import { ExportContents, ExportFile } from './export-contents.query';
import { ExportTask } from './export-task';
import { ExportById } from './exports.query';
import { RequestExport } from './request-export.command';

const made = eventType('test.export_thing.made', {
  version: 1,
  description: 'Made.',
  schema: z.object({ n: z.int() }),
  example: { n: 1 },
});
const COUNT_USED = statement(
  'test.insert_accounts',
  `insert into ledger.accounts (tenant_id, id, code, asset, normal_balance, limit_rule)
   select $1, gen_random_uuid(), 'account ' || n, 'EUR/2', 'debit', 'none' from generate_series(1, 2500) n`,
);

/** An export holds every row of the tenant and none of another's, wherever its worker dies. */
describe('An export', () => {
  let app: TenantsApp;
  let mine: Caller;

  beforeAll(async () => {
    app = await TenantsApp.start();
    for (const slug of ['mine', 'theirs']) {
      const caller = await app.tenant(slug);
      if (slug === 'mine') mine = caller;
      await app.database.tenants(1).transaction(caller, async (tx) => {
        await tx.execute(COUNT_USED, [tx.tenantId]);
        for (let n = 1; n <= 30; n += 1)
          await tx.announce(announcement(made, { id: tx.tenantId, version: BigInt(n) }, { n }));
      });
    }
  });
  afterAll(() => app.close());

  /** A process that works on tasks, and that dies at its n-th transaction when it is told so. */
  function worker(diesAt = Number.POSITIVE_INFINITY): TaskRunner {
    const tenants = app.database.tenants(2);
    let transactions = 0;
    const counted = tenants.transaction.bind(tenants);
    tenants.transaction = (caller, work) => {
      transactions += 1;
      return transactions >= diesAt ? new Promise<never>(() => {}) : counted(caller, work);
    };
    return new TaskRunner({
      tenants,
      relay: app.database.as('holdfast_relay', 2),
      grants: new Grants(app.database.as('holdfast_auth', 2)),
      kinds: [new ExportTask()],
      report: (error) => {
        throw error;
      },
    });
  }

  async function read(id: string, name: string): Promise<string> {
    const pieces: string[] = [];
    for await (const piece of await app.ask(new ExportFile(mine, { id, name }, async () => mine)))
      pieces.push(gunzipSync(piece).toString());
    return pieces.join('');
  }

  it('goes on in another process where the one before it died, and holds every row once', async () => {
    const { id } = await app.do(new RequestExport(mine, {}));
    let deaths = 0;
    for (let diesAt = 2; (await app.ask(new ExportById(mine, { id }))).status !== 'completed'; diesAt += 3) {
      const dying = worker(diesAt).runDue();
      const outcome = await Promise.race([
        dying,
        new Promise((resolve) => setTimeout(resolve, 1_000, 'dead')),
      ]);
      if (outcome === 'dead') deaths += 1;
      // What the lease's end does in 90 s.
      await app.database.admin('update tenants.tasks set lease_until = null where id = $1', [id]);
    }
    expect(deaths).toBeGreaterThan(2);
    const { files, sha256 } = await app.ask(new ExportContents(mine, { id }));
    expect(sha256).toHaveLength(64);
    const rows = Object.fromEntries(files.map((file) => [file.table, file.rows]));
    expect(rows).toMatchObject({ 'ledger.accounts': 2_500, 'tenants.tenants': 1, 'events.log': 32 });
    for (const file of files) {
      const text = await read(id, file.name);
      expect([file.name, text.length, createHash('sha256').update(text).digest('hex')]).toEqual([
        file.name,
        file.bytes,
        file.sha256,
      ]);
      const lines = text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { tenant_id: string });
      expect(new Set(lines.map(({ tenant_id }) => tenant_id)).size).toBe(file.rows === 0 ? 0 : 1);
      expect(lines).toHaveLength(file.rows);
      expect(lines.every(({ tenant_id }) => tenant_id === mine.tenantId)).toBe(true);
      expect(new Set(text.split('\n').filter(Boolean)).size).toBe(file.rows);
    }
    const events = (await read(id, 'events.log.ndjson')).split('\n').filter(Boolean);
    const seqs = events.map((line) => (JSON.parse(line) as { seq: number }).seq);
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    expect((await app.events(mine.tenantId)).map(({ type }) => type).slice(-2)).toEqual([
      'tenants.export.requested',
      'tenants.export.completed',
    ]);
  }, 60_000);

  it('is kept for a week, and then its files are removed', async () => {
    const { id } = await app.do(new RequestExport(mine, {}));
    await worker().runDue();
    const chunks = () => app.database.admin('select from tenants.export_chunks where export_id = $1', [id]);
    expect((await chunks()).length).toBeGreaterThan(0);
    expect(await worker().runDue()).toBe(0);
    await app.database.admin('update tenants.tasks set due_at = clock_timestamp() where id = $1', [id]);
    await worker().runDue();
    expect(await chunks()).toEqual([]);
    expect(await app.ask(new ExportById(mine, { id }))).toMatchObject({ status: 'expired' });
    await expect(app.ask(new ExportContents(mine, { id }))).rejects.toMatchObject({
      code: 'tenants.export_expired',
    });
  });

  it('ends with the credential that began to read it', async () => {
    const { id } = await app.do(new RequestExport(mine, {}));
    await worker().runDue();
    let admitted = 0;
    const readmit = async (): Promise<Caller> => {
      admitted += 1;
      return admitted > 1 ? { ...mine, scopes: [] } : mine;
    };
    const file = { id, name: 'ledger.accounts.ndjson' };
    const pieces = (await app.ask(new ExportFile(mine, file, readmit)))[Symbol.asyncIterator]();
    expect((await pieces.next()).done).toBe(false);
    await expect(pieces.next()).rejects.toMatchObject({ code: 'auth.forbidden' });
  });

  it('cannot be of a table that is not exported, nor read by another tenant', async () => {
    const page = statement('test.export_page', `select line from tenancy.export_page($1, null, 10, 1000)`);
    const reading = (table: string) =>
      app.database.tenants(1).transaction(mine, (tx) => tx.rows(page, [table]));
    for (const table of ['tenants.tasks', 'pg_authid', 'ledger.accounts t; drop table x'])
      await expect(reading(table)).rejects.toMatchObject({ code: 'HF002' });
    await expect(reading('auth.credentials')).rejects.toMatchObject({ code: '42501' });
    const { id } = await app.do(new RequestExport(mine, {}));
    const other = await app.tenant();
    await expect(app.ask(new ExportById(other, { id }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });
});
