import { payThrough } from '@holdfast/payments';
import { TestBank } from '@holdfast/testing';
import { type Answer, TestApi } from './test-api';
import { TestSagas } from './test-sagas';

const IBAN = 'DE89370400440532013000';

/** Guards the way of a payment to another bank, from the request to both ends. */
describe('A payment to an IBAN', () => {
  let api: TestApi;
  let bank: TestBank;
  let sagas: TestSagas;
  beforeAll(async () => {
    [api, bank] = await Promise.all([TestApi.start(), TestBank.start()]);
    sagas = new TestSagas(api);
  });
  afterAll(async () => {
    payThrough(undefined);
    await sagas.close();
    await Promise.all([api.close(), bank.stop()]);
  });
  beforeEach(() => payThrough({ url: bank.url, secret: 'secret', settings: { attemptMs: 200 } }));

  /** A tenant with 500 in its wallet. */
  async function payer(): Promise<{ readonly key: string; readonly wallet: string }> {
    const { key } = await api.tenant();
    const open = async (code: string, limit: string): Promise<string> => {
      const body = { code, asset: 'EUR/2', normalBalance: 'credit', limit };
      return String((await api.ask('POST', '/v1/ledger/accounts', { key, body })).body['id']);
    };
    const [source, wallet] = [
      await open('source', 'none'),
      await open('wallet', 'debits_must_not_exceed_credits'),
    ];
    const body = { debitAccountId: source, creditAccountId: wallet, amount: '500' };
    await api.ask('POST', '/v1/ledger/transfers', { key, body });
    return { key, wallet };
  }

  const pay = (key: string, fromAccountId: string, more: object = {}): Promise<Answer> =>
    api.ask('POST', '/v1/payments', {
      key,
      body: { fromAccountId, toIban: IBAN, amount: '200', asset: 'EUR/2', ...more },
    });

  async function ended(key: string, id: unknown): Promise<Answer['body']> {
    for (;;) {
      const { body } = await api.ask('GET', `/v1/payments/${String(id)}`, { key });
      if (body['status'] !== 'pending') return body;
      await sagas.goOn(String(id));
    }
  }

  it('is made in the ledger once the bank has paid it', async () => {
    const { key, wallet } = await payer();
    bank.plans.push('loses its answer');
    const asked = await pay(key, wallet);
    expect(asked).toMatchObject({ status: 202, body: { status: 'pending', toIban: IBAN, toTenantId: null } });
    const payment = await ended(key, asked.body['id']);
    expect(payment).toMatchObject({ status: 'completed', direction: 'outgoing', amount: '200', code: null });
    expect(payment['toIban']).toBe('DE…3000');
    const { body } = await api.ask('GET', `/v1/ledger/accounts/${wallet}`, { key });
    expect(body['balances']).toMatchObject({ postedDebits: '200', pendingDebits: '0' });
    expect([...bank.payments.values()].filter((status) => status === 'paid')).toHaveLength(1);
    const { body: page } = await api.ask('GET', '/v1/payments?direction=outgoing&status=completed', { key });
    expect(page['data']).toEqual([payment]);
  });

  it('leaves nothing behind where the bank refuses, or there is no money', async () => {
    const { key, wallet } = await payer();
    bank.plans.push('refuses');
    const refused = await ended(key, (await pay(key, wallet)).body['id']);
    expect(refused).toMatchObject({ status: 'compensated', code: 'payments.bank_refused' });
    const poor = await ended(key, (await pay(key, wallet, { amount: '501' })).body['id']);
    expect(poor).toMatchObject({ status: 'failed', code: 'ledger.exceeds_credits', holdId: null });
    const { body } = await api.ask('GET', `/v1/ledger/accounts/${wallet}`, { key });
    expect(body['balances']).toMatchObject({ postedDebits: '0', pendingDebits: '0' });
  });

  it('is shown to nobody else, and asked for in one way only', async () => {
    const { key, wallet } = await payer();
    const { body } = await pay(key, wallet);
    const { key: other } = await api.tenant();
    expect((await api.ask('GET', `/v1/payments/${String(body['id'])}`, { key: other })).status).toBe(404);
    const tenant = '019a0000-0000-7000-8000-000000000001';
    for (const more of [{ toTenantId: tenant }, { toIban: undefined }, { toIban: 'DE00370400440532013000' }])
      expect((await pay(key, wallet, more)).status).toBe(422);
    payThrough(undefined);
    expect((await pay(key, wallet)).body['code']).toBe('payments.bank_not_configured');
  });
});
