import { randomBytes, randomUUID } from 'node:crypto';
import { readConfig } from '@holdfast/config';
import { newId } from '@holdfast/kernel';
import { createLogger } from '@holdfast/observability';
import { eventually, Receiver } from '@holdfast/testing';
import { type Answer, TestApi } from '../../api/test/test-api';
import { type RunningWorker, startWorker } from '../src/worker';

const NETWORKS = '127.0.0.0/8';

/** A tenant that pays or is paid, and where its webhooks go. */
interface Side {
  readonly id: string;
  readonly key: string;
  readonly wallet: string;
  readonly receiver: Receiver;
}

type Json = Readonly<Record<string, unknown>>;

// Guards the way of a payment through an API that is asked and a worker that makes it, as clients of both tenants see it.
describe('A payment to another tenant', () => {
  const sealing = { id: 'test', key: randomBytes(32).toString('base64') };
  let api: TestApi;
  let worker: RunningWorker;
  let payer: Side;
  let payee: Side;

  beforeAll(async () => {
    const webhooks = { keys: [sealing], allowedNetworks: [NETWORKS] };
    api = await TestApi.start({}, [], [], { webhooks });
    worker = await startWorker(workerConfig(), {
      ...{
        logger: createLogger({ app: 'worker', level: 'error' }),
        telemetry: api.telemetry,
        serveMetrics: false,
      },
    });
    [payer, payee] = [await side(), await side()];
  }, 120_000);
  afterAll(async () => {
    await worker.stop();
    await Promise.all([payer.receiver.stop(), payee.receiver.stop()]);
    await api.close();
  });

  const workerConfig = (): ReturnType<typeof readConfig<'worker'>> =>
    readConfig('worker', {
      DATABASE_URL: api.database.url('holdfast_app'),
      DATABASE_AUTH_URL: api.database.url('holdfast_auth'),
      DATABASE_RELAY_URL: api.database.url('holdfast_relay'),
      DATABASE_JOBS_URL: api.database.url('holdfast_jobs'),
      CLICKHOUSE_URL: 'http://127.0.0.1:1/unused',
      WEBHOOK_SECRETS_KEY: `${sealing.id}=${sealing.key}`,
      WEBHOOK_ALLOWED_NETWORKS: NETWORKS,
      NODE_ENV: 'test',
    });

  /** A tenant with 1,000 in a wallet that may not be overdrawn, and a webhook for its payments. */
  async function side(): Promise<Side> {
    const [{ id, key }, receiver] = [await api.tenant(), await Receiver.start()];
    const source = await api.account(key, 'source', { normalBalance: 'debit' });
    const wallet = await api.account(key, 'wallet', { limit: 'debits_must_not_exceed_credits' });
    await sent(key, '/v1/ledger/transfers', {
      debitAccountId: source,
      creditAccountId: wallet,
      amount: '1000',
    });
    await sent(key, '/v1/webhooks', { url: receiver.url, eventTypes: ['payments.*'] });
    return { id, key, wallet, receiver };
  }

  async function sent(key: string, url: string, body: object): Promise<Json> {
    const answer = await api.ask('POST', url, { key, body });
    if (answer.status >= 300) throw new Error(`${url}: ${answer.status} ${answer.text}`);
    return answer.body;
  }

  const asked = (more: object = {}): Json => ({
    ...{ fromAccountId: payer.wallet, toTenantId: payee.id, toAccountId: payee.wallet },
    ...{ amount: '100', asset: 'EUR/2', ...more },
  });
  const pay = (
    more: object = {},
    key = payer.key,
    idempotencyKey: string | null = randomUUID(),
  ): Promise<Answer> => api.ask('POST', '/v1/payments', { key, body: asked(more), idempotencyKey });
  const read = ({ key }: { readonly key: string }, id: unknown): Promise<Answer> =>
    api.ask('GET', `/v1/payments/${String(id)}`, { key });

  /** The payer's half once it has ended. */
  async function ended(id: unknown): Promise<Json> {
    let half: Json = {};
    await eventually(async () => (half = (await read(payer, id)).body)['status'] !== 'pending', 30_000);
    return half;
  }

  /** What a side's webhook was told of a payment, once it is as much. */
  async function told({ receiver }: Side, id: unknown, count: number): Promise<unknown[]> {
    const events = (): Json[] =>
      receiver.received
        .map(({ body }) => JSON.parse(body) as Json)
        .filter(({ subject }) => String(subject).endsWith(String(id)));
    await eventually(() => events().length >= count, 30_000);
    return events().map(({ type }) => type);
  }

  const balances = async ({ key, wallet }: Side): Promise<unknown> =>
    (await api.ask('GET', `/v1/ledger/accounts/${wallet}`, { key })).body['balances'];

  it('is made in both ledgers; each side is shown its half, and told of it by webhook', async () => {
    const answer = await pay();
    expect(answer).toMatchObject({
      status: 202,
      body: { status: 'pending', direction: 'outgoing', code: null },
    });
    const { id } = answer.body;
    const shared = {
      id,
      fromTenantId: payer.id,
      toTenantId: payee.id,
      toAccountId: payee.wallet,
      amount: '100',
    };
    expect(await ended(id)).toMatchObject({
      ...{ ...shared, status: 'completed', direction: 'outgoing', fromAccountId: payer.wallet },
    });
    const incoming = { ...shared, status: 'completed', direction: 'incoming', fromAccountId: null };
    expect((await read(payee, id)).body).toMatchObject(incoming);
    expect([await balances(payer), await balances(payee)]).toMatchObject([
      { postedDebits: '100', pendingDebits: '0' },
      { postedCredits: '1100', pendingCredits: '0' },
    ]);
    const types = (...names: string[]): string[] => names.map((name) => `payments.payment.${name}`);
    expect(await told(payer, id, 4)).toEqual(types('requested', 'decided', 'sent', 'completed'));
    expect(await told(payee, id, 2)).toEqual(types('accepted', 'completed'));
    const events = payee.receiver.received.map(({ body }) => body).join();
    expect(events).not.toContain(payer.wallet);
    expect((await read(await api.tenant(), id)).status).toBe(404);
  });

  it('is given back with one code that tells the payer nothing, or fails for want of money', async () => {
    const refused = await ended((await pay({ toAccountId: newId() })).body['id']);
    expect(refused).toMatchObject({ status: 'compensated', code: 'payments.payee_refused' });
    expect((await read(payee, refused['id'])).status).toBe(404);
    const poor = await ended((await pay({ amount: '5000' })).body['id']);
    expect(poor).toMatchObject({ status: 'failed', code: 'ledger.exceeds_credits', holdId: null });
    expect(await told(payer, poor['id'], 2)).toContain('payments.payment.failed');
  });

  it('is refused at once where the payer’s side is wrong, with stable codes', async () => {
    const reader = await sent(payer.key, '/v1/api-keys', { name: 'reader', scopes: ['payments:read'] });
    const before = await api.ask('GET', '/v1/payments', { key: payer.key });
    const cases: [Answer | Promise<Answer>, number, string][] = [
      [pay({ toTenantId: payer.id }), 422, 'payments.same_tenant'],
      [pay({ fromAccountId: newId() }), 404, 'ledger.account_not_found'],
      [pay({ fromAccountId: payee.wallet }), 404, 'ledger.account_not_found'],
      [pay({ asset: 'USD/2' }), 422, 'ledger.asset_mismatch'],
      [pay({ amount: '0' }), 422, 'request.invalid'],
      [pay({ toAccountId: undefined }), 422, 'request.invalid'],
      [pay({ toIban: 'DE89370400440532013000' }), 422, 'request.invalid'],
      [pay({}, String(reader['secret'])), 403, 'auth.forbidden'],
      [pay({}, payer.key, null), 400, 'idempotency.key_missing'],
    ];
    const answers = [];
    for (const [answer] of cases) answers.push(await answer);
    expect(answers.map(({ status, body }) => [status, body['code']])).toEqual(
      cases.map(([, status, code]) => [status, code]),
    );
    expect((await api.ask('GET', '/v1/payments', { key: payer.key })).text).toBe(before.text);
  });

  it('is one payment, however often it is asked for under a key', async () => {
    const idempotencyKey = randomUUID();
    const [first, second] = [
      await pay({}, payer.key, idempotencyKey),
      await pay({}, payer.key, idempotencyKey),
    ];
    expect(second.body).toEqual(first.body);
    expect(second.headers['idempotency-replayed']).toBe('true');
    expect(await pay({ amount: '1' }, payer.key, idempotencyKey)).toMatchObject({
      ...{ status: 422, body: { code: 'idempotency.key_reused' } },
    });
    expect(await ended(first.body['id'])).toMatchObject({ status: 'completed' });
  });

  it('is asked for and read over GraphQL as well, with the same codes', async () => {
    const fields = 'id status direction code fromAccountId amount';
    const mutation = `mutation ($input: SendPaymentInput!, $key: String!) {
      sendPayment(input: $input, idempotencyKey: $key) { ${fields} } }`;
    const send = async (more: object): Promise<Json> => {
      const { body } = await api.graphql(payer.key, mutation, { input: asked(more), key: randomUUID() });
      const { data, errors } = body as { data: Record<string, Json> | null; errors?: { extensions: Json }[] };
      return data?.['sendPayment'] ?? errors?.[0]?.extensions ?? {};
    };
    expect(await send({ toTenantId: payer.id })).toMatchObject({ code: 'payments.same_tenant' });
    const payment = await send({ amount: '7' });
    expect(payment).toMatchObject({ status: 'pending', direction: 'outgoing', amount: '7' });
    await ended(payment['id']);
    const query = `query ($id: ID!) { payment(id: $id) { ${fields} } payments(first: 1, direction: "incoming") { edges { node { id } } } }`;
    const { body } = await api.graphql(payee.key, query, { id: payment['id'] });
    expect(body['data']).toMatchObject({
      payment: { status: 'completed', direction: 'incoming', code: null, fromAccountId: null },
      payments: { edges: [{ node: { id: payment['id'] } }] },
    });
  });
});
