import { PLANS } from '@holdfast/kernel';
import { TenantsApp } from '../../test/tenants-app';
import { ExportContents } from './export-contents.query';
import { Exports } from './exports.query';
import { RequestExport } from './request-export.command';

describe('RequestExport', () => {
  let app: TenantsApp;

  beforeAll(async () => {
    app = await TenantsApp.start();
  });
  afterAll(() => app.close());

  it('leaves work for a worker and has nothing to download before it is done', async () => {
    const caller = await app.tenant();
    const asked = await app.do(new RequestExport(caller, {}));
    expect(asked).toMatchObject({ status: 'queued', rowsDone: '0', rowsTotal: null, bytes: '0' });
    expect((await app.ask(new Exports(caller, { limit: 10 }))).data).toEqual([asked]);
    await expect(app.ask(new ExportContents(caller, asked))).rejects.toMatchObject({
      code: 'tenants.export_not_ready',
    });
  });

  it('is refused beyond the quota of a day', async () => {
    const caller = { ...(await app.tenant()), plan: 'free' };
    for (let n = 0; n < PLANS.free.quotas.exportsPerDay; n += 1) await app.do(new RequestExport(caller, {}));
    await expect(app.do(new RequestExport(caller, {}))).rejects.toMatchObject({
      code: 'tenants.quota_exceeded',
    });
  });
});
