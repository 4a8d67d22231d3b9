import { statement } from '@holdfast/database';
import { TestIssuer } from '@holdfast/testing';
import { type Answer, TestApi, trusting } from './test-api';

const HOLD = statement(
  'test.deadline_hold',
  'select id from ledger.accounts where tenant_id = $1 for update',
);

/** Guards that a request's deadline goes with it: to the handler, to its statements, to the ledger's batches, and to the telemetry store. */
describe('The deadline of a request', () => {
  let api: TestApi;
  let tenantId: string;
  let key: string;
  let accounts: string[];
  let issuer: TestIssuer;
  beforeAll(async () => {
    issuer = await TestIssuer.start();
    api = await TestApi.start({}, [], [trusting(issuer.url)]);
    ({ id: tenantId, key } = await api.tenant());
    accounts = [await account('cash'), await account('till')];
  });
  afterAll(async () => {
    await api.close();
    await issuer.stop();
  });

  async function account(code: string): Promise<string> {
    const body = { code, asset: 'EUR/2', normalBalance: 'credit', limit: 'none', metadata: {} };
    return String((await api.ask('POST', '/v1/ledger/accounts', { key, body })).body['id']);
  }

  const within = (ms: number | string, method: 'GET' | 'POST', url: string, body?: object): Promise<Answer> =>
    api.ask(method, url, { key, ...(body && { body }), headers: { 'x-request-timeout-ms': String(ms) } });
  const transfer = (): object => ({ debitAccountId: accounts[0], creditAccountId: accounts[1], amount: '1' });
  const transfers = async (): Promise<unknown> =>
    (await api.ask('GET', '/v1/ledger/transfers', { key })).body['data'];
  const PASSED = { status: 503, body: { code: 'request.deadline_passed' } };

  it('refuses what is over it before anything is begun', async () => {
    for (const url of ['/v1/tenant', '/v1/ledger/accounts', '/v1/telemetry/events'])
      expect(await within(0, 'GET', url)).toMatchObject(PASSED);
    const refused = await within(0, 'POST', '/v1/ledger/transfers', transfer());
    expect(refused).toMatchObject(PASSED);
    expect(refused.headers['retry-after']).toBe('1');
    expect(await transfers()).toEqual([]);
  });

  it('holds for finding out who calls, whatever an issuer takes', async () => {
    issuer.isSilent = true;
    const askedAtMs = performance.now();
    const headers = { 'x-request-timeout-ms': '200', 'holdfast-tenant': tenantId };
    expect(await api.ask('GET', '/v1/me', { key: await issuer.token(), headers })).toMatchObject(PASSED);
    // An issuer has 3 s.
    expect(performance.now() - askedAtMs).toBeLessThan(2_000);
    expect(issuer.asked).toHaveLength(1);
  });

  it('can be shortened by the client, and by nothing else in the header', async () => {
    for (const asked of ['60000', 'soon', '-1', '1e3', ''])
      expect((await within(asked, 'GET', '/v1/tenant')).status).toBe(200);
  });

  it('ends statements that wait, and leaves out of the ledger what has waited for its batch until then', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const caller = await api.database.caller(tenantId);
    const holding = api.database.tenants(1).transaction(caller, async (tx) => {
      await tx.rows(HOLD, [tx.tenantId]);
      held.resolve();
      await promise;
    });
    await held.promise;
    const closing = within(300, 'POST', `/v1/ledger/accounts/${accounts[0]}/close`, {});
    const first = within(5_000, 'POST', '/v1/ledger/transfers', transfer());
    const second = within(200, 'POST', '/v1/ledger/transfers', transfer());
    expect(await closing).toMatchObject(PASSED);
    // The batch of the first waits for the accounts, and the second for the batch.
    await new Promise((later) => setTimeout(later, 300));
    resolve();
    await holding;
    expect((await first).status).toBe(201);
    expect(await second).toMatchObject(PASSED);
    expect(await transfers()).toHaveLength(1);
  });
});
