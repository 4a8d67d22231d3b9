import { gunzipSync } from 'node:zlib';
import type { Caller } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { CreateApiKey, generateApiKey } from '@holdfast/identity';
import { Grants } from '@holdfast/tenancy';
import { fixtureMade } from '@holdfast/testing';
import { TenantsApp } from '../../test/tenants-app';
import { ChangeTenant } from '../change-tenant.command';
import { ExportContents, ExportFile } from '../exports/export-contents.query';
import { ExportTask } from '../exports/export-task';
import type { ExportManifest } from '../exports/export-view';
import { RequestExport } from '../exports/request-export.command';
import { OwnTenant } from '../own-tenant.query';
import { TaskRunner } from '@holdfast/tasks';
import { BeginImport, FinishImport, importedTenantInput, ImportRows } from './import-tenant.command';

const OPEN_ACCOUNTS = statement(
  'test.insert_accounts_to_export',
  `insert into ledger.accounts (tenant_id, id, code, asset, normal_balance, limit_rule, metadata)
   select $1, gen_random_uuid(), 'account ' || n, 'EUR/2', 'debit', 'none', '{"big": 9007199254740993}'
   from generate_series(1, 1500) n`,
);

/** What a tenant takes along is what it finds again. */
describe('An import', () => {
  let app: TenantsApp;
  let source: Caller;
  let manifest: ExportManifest;
  const files = new Map<string, string[]>();

  beforeAll(async () => {
    app = await TenantsApp.start();
    source = await app.tenant('source');
    await app.database.tenants(1).transaction(source, async (tx) => {
      await tx.execute(OPEN_ACCOUNTS, [tx.tenantId]);
      await tx.announce(fixtureMade());
    });
    for (const name of ['one', 'two']) {
      const input = { name, scopes: ['*' as const], reason: 'to have rows to export' };
      await app.do(new CreateApiKey(source, input, generateApiKey('live')));
    }
    const change = { name: 'The Source', settings: { timeZone: 'Europe/Berlin' }, version: '1' };
    await app.do(new ChangeTenant(source, change));
    const { id } = await app.do(new RequestExport(source, {}));
    await new TaskRunner({
      tenants: app.database.tenants(2),
      relay: app.database.as('holdfast_relay', 1),
      grants: new Grants(app.database.as('holdfast_auth', 1)),
      kinds: [new ExportTask()],
      report: (error) => {
        throw error;
      },
    }).runDue();
    manifest = await app.ask(new ExportContents(source, { id }));
    for (const { name, table } of manifest.files) {
      const pieces: string[] = [];
      for await (const piece of await app.ask(new ExportFile(source, { id, name }, async () => source)))
        pieces.push(gunzipSync(piece).toString());
      files.set(table, pieces.join('').split('\n').filter(Boolean));
    }
  }, 60_000);
  afterAll(() => app.close());

  /** Reads the export in, the last page of each table twice, as one that was interrupted does. */
  async function importInto(caller: Caller): Promise<void> {
    await app.do(new BeginImport(caller, manifest));
    await app.do(new BeginImport(caller, manifest));
    for (const [table, lines] of files) {
      if (table === 'tenants.tenants') continue;
      for (let from = 0; from < lines.length; from += 500)
        await app.do(new ImportRows(caller, { table, lines: lines.slice(from, from + 500) }));
      const again = await app.do(new ImportRows(caller, { table, lines: lines.slice(-10) }));
      expect([table, again.stored]).toEqual([table, 0]);
    }
    const tenant = importedTenantInput.parse(JSON.parse(files.get('tenants.tenants')?.[0] ?? ''));
    await app.do(new FinishImport(caller, { sha256: manifest.sha256, tenant }));
  }

  /** Rows as an export holds them, without what belongs to the place that they are in. */
  async function stateOf(tenantId: string, table: string, until: string): Promise<string[]> {
    const isLog = table === 'events.log';
    const rows = await app.database.admin<{ row: string }>(
      `select (to_jsonb(t) - 'tenant_id' - 'seq' - 'xid')::text as row from ${table} t
       where tenant_id = $1 ${isLog ? `and not (stream_type = 'tenants.tenant' and stream_id <> '${until}')` : ''}
       order by ${isLog ? 'seq' : '1'}`,
      [tenantId],
    );
    return rows.map(({ row }) => row);
  }

  it('gives the same state, table by table', async () => {
    const target = await app.tenant('target');
    await importInto(target);
    for (const { table, rows } of manifest.files.filter((file) => file.table !== 'tenants.tenants')) {
      const [was, is] = [
        await stateOf(source.tenantId, table, source.tenantId),
        await stateOf(target.tenantId, table, source.tenantId),
      ];
      // The export's own completion came into the log behind it.
      expect([table, is]).toEqual([table, was.slice(0, rows)]);
    }
    expect(files.get('ledger.accounts')).toHaveLength(1_500);
    const [mine, theirs] = [
      await app.ask(new OwnTenant(source, {})),
      await app.ask(new OwnTenant(target, {})),
    ];
    expect(theirs).toMatchObject({ name: mine.name, settings: mine.settings, slug: 'target' });
    expect((await app.events(target.tenantId)).at(-1)).toMatchObject({ type: 'tenants.tenant.imported' });
  }, 60_000);

  it('is refused into a tenant that has anything, and to everybody but the operator', async () => {
    await expect(app.do(new BeginImport(source, manifest))).rejects.toMatchObject({
      code: 'tenants.not_empty',
    });
    const { tenantId } = await app.tenant();
    const own = await app.database.caller(tenantId);
    await expect(app.do(new BeginImport(own, manifest))).rejects.toMatchObject({ code: 'HF003' });
    const unopened = new ImportRows(await app.operator(tenantId), { table: 'ledger.accounts', lines: [] });
    await expect(app.do(unopened)).rejects.toMatchObject({ code: 'HF003' });
  });

  it('stores nothing but rows of exported tables', async () => {
    const target = await app.tenant();
    await app.do(new BeginImport(target, manifest));
    for (const table of ['auth.credentials', 'tenants.tasks', 'tenants.tenants', 'events.heads', 'no.such'])
      await expect(app.do(new ImportRows(target, { table, lines: [] }))).rejects.toMatchObject({
        code: 'HF002',
      });
  });
});
