import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@holdfast/embedded';
import { DevProcess, freshCheckout, holdfast, removeCheckout } from './dev-process';
import { Client, type Entry } from './journal';
import { OPERATOR_SETTINGS } from './ledger-faults/stage';
import { expectPaid, paymentTraffic } from './paid';
import { makeTenant, Servers } from './servers';

/** How many requests a second, as constant load: well below what the machine of the tests can do. */
const REQUESTS_PER_SECOND = 60;

const APIS = 3;
/** Seven starts of processes, each of which takes most of a minute on a machine under load. */
jest.setTimeout(400_000);

/** An API process behind the balancer of this test. */
interface Backend {
  readonly url: string;
  readonly environment: Readonly<Record<string, string>>;
  process: DevProcess;
  ready: boolean;
}

/** Promise 9 and row 2 of the faults: a rolling restart under constant load fails no request. */
describe('a rolling restart of three APIs and a worker', () => {
  const checkout = freshCheckout();
  let servers: Servers;
  let environment: Servers['environment'];
  const backends: Backend[] = [];
  let worker: DevProcess;
  let watching: NodeJS.Timeout;

  beforeAll(async () => {
    servers = await Servers.start(checkout);
    const { OPERATOR_KEY_HASH } = OPERATOR_SETTINGS;
    environment = { ...servers.environment, OPERATOR_KEY_HASH };
    for (let n = 0; n < APIS; n += 1) backends.push(await startBackend(checkout, environment));
    worker = startWorker(checkout, environment);
    // What a load balancer does: it asks each backend every 200 ms whether to send it requests.
    watching = setInterval(() => backends.forEach((backend) => void look(backend)), 200);
    while (!backends.every(({ ready }) => ready)) await sleep(50);
  });
  afterAll(async () => {
    clearInterval(watching);
    await Promise.all([
      ...backends.map(({ process }) => process.signal('SIGTERM')),
      worker.signal('SIGTERM'),
    ]);
    await servers.stop();
    removeCheckout(checkout);
  });

  test('fails no request, every transfer has one event that is delivered, and every payment has ended', async () => {
    const key = await makeTenant(checkout, environment);
    const clients = (): Client[] =>
      backends.filter(({ ready }) => ready).map(({ url }) => new Client(url, key));
    const accounts = await clients()[0]!.accounts();
    const payments = await paymentTraffic(backends, ({ ready }) => ready);
    payments.start();
    const journal: Entry[] = [];
    const sending: Promise<void>[] = [];
    const load = setInterval(() => {
      const entry: Entry = { key: randomUUID(), body: { ...accounts, amount: '1' }, outcome: 'unknown' };
      const choice = clients();
      journal.push(entry);
      sending.push(choice[journal.length % choice.length]!.send(entry));
    }, 1_000 / REQUESTS_PER_SECOND);

    await sleep(1_000);
    for (const backend of backends) await restart(checkout, backend);
    expect((await worker.signal('SIGTERM')).code).toBe(0);
    worker = startWorker(checkout, environment);
    await sleep(1_000);
    clearInterval(load);
    await Promise.all([...sending, payments.stop()]);

    expect(journal.length).toBeGreaterThan(10 * REQUESTS_PER_SECOND);
    expect(journal.filter(({ outcome }) => outcome !== 'ok')).toEqual([]);
    const client = clients()[0]!;
    const { body } = await client.get(`/v1/ledger/accounts/${accounts.debitAccountId}`);
    expect(body.balances.postedDebits).toBe(String(journal.length));
    await expectDelivered(client, journal.length);
    await expectPaid(payments, environment['DATABASE_ADMIN_URL'] ?? '');
    const verified = await holdfast(checkout, ['ledger', 'verify', '--full'], environment);
    expect([verified.code, verified.stdout]).toEqual([0, expect.stringContaining('0 breaks: sound.')]);
  });
});

async function expectDelivered(client: Client, count: number): Promise<void> {
  let delivered: { id: string }[] = [];
  for (let tries = 0; tries < 150 && delivered.length < count; tries += 1) {
    await sleep(100);
    delivered = await client.all('/v1/telemetry/events?type=ledger.transfer.posted');
  }
  expect(delivered).toHaveLength(count);
  expect(new Set(delivered.map(({ id }) => id)).size).toBe(count);
}

async function startBackend(
  checkout: string,
  environment: Readonly<Record<string, string>>,
): Promise<Backend> {
  const port = await freePort();
  const own = { ...environment, HOLDFAST_PORT: String(port) };
  return {
    url: `http://127.0.0.1:${port}`,
    environment: own,
    process: new DevProcess(checkout, ['api'], own),
    ready: false,
  };
}

function startWorker(checkout: string, environment: Readonly<Record<string, string>>): DevProcess {
  return new DevProcess(checkout, ['worker'], environment);
}

async function look(backend: Backend): Promise<void> {
  // Nobody listens: that is not ready.
  const answer = await fetch(`${backend.url}/readyz`).catch(() => undefined);
  await answer?.arrayBuffer();
  backend.ready = answer?.status === 200;
}

async function restart(checkout: string, backend: Backend): Promise<void> {
  const { code, stderr } = await backend.process.signal('SIGTERM');
  expect([code, stderr]).toEqual([0, '']);
  backend.process = new DevProcess(checkout, ['api'], backend.environment);
  while (!backend.ready) await sleep(50);
}
