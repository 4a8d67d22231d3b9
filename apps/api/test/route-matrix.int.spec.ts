import { CredentialUses } from '@holdfast/identity';
import { findLeaks, type MatrixReport, VICTIMS_MARK } from './tenancy/matrix';
import { deliverEvents, rowsOf } from './tenancy/stored';
import { TestApi } from './test-api';

/** Rows 24 and 25 of the isolation table: no route shows or changes what is another tenant's, or says that it is there. */
describe('Every route', () => {
  let api: TestApi;
  let report: MatrixReport;

  beforeAll(async () => {
    api = await TestApi.start();
    const [victim, attacker] = [await api.largeTenant(), await api.largeTenant()];
    // The operator begins these: tenants have no way to.
    await api.supportAccess(victim.id, `${VICTIMS_MARK} is in need`);
    await api.supportAccess(attacker.id, 'another one is in need');
    report = await findLeaks({
      app: api.app,
      victim,
      attacker,
      deliver: (tenantId) => deliverEvents(api, tenantId, VICTIMS_MARK),
      rowsOf: async (tenantId) => {
        // The victim's own uses of its keys are written behind its requests.
        await api.app.get(CredentialUses, { strict: false }).flush();
        return rowsOf(api, tenantId);
      },
    });
    const { operations, fields, requests, canaries, leaks, times } = report;
    process.stdout.write(
      `operations ${operations}, GraphQL fields ${fields}, requests sent ${requests}, canaries ${canaries}, leaks ${leaks.length}\n${times.join('\n')}\n`,
    );
    // Thousands of requests: seconds on a machine of its own, minutes on one that does ten other things.
  }, 600_000);
  afterAll(() => api.close());

  it('is exercised by requests made from its own description', () => {
    expect(report.unexercised).toEqual([]);
  });

  it('leaves none of its free text, and no address, in an event', async () => {
    const found = await api.database.admin<{ type: string; data: object }>(
      'select distinct on (type) type, data from events.log where data::text ~ $1 order by type',
      [`${VICTIMS_MARK}|@example|127[.]0[.]0[.]1`],
    );
    expect(found).toEqual([]);
  });

  it('keeps what is another tenant’s', () => {
    expect(report.leaks).toEqual([]);
  });
});
