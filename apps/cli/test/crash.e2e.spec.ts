import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DevProcess, freshCheckout, postgresPid, removeCheckout } from './dev-process';
import { type Client, clientOf, type Entry } from './journal';

/** Two hundred at once are more than a plan allows; how they are refused is not what this is about. */
const UNLIMITED = { HOLDFAST_LIMITS: 'off' };

/** Promise 3: what was acknowledged survives kill -9; what was not is there at most once, and a retry settles it. */
describe('kill -9 in the middle of 200 concurrent transfers', () => {
  let checkout = '';
  beforeEach(() => (checkout = freshCheckout()));
  afterEach(() => removeCheckout(checkout));

  it.each([
    ['of the whole process', false],
    ['of the whole process and of PostgreSQL', true],
  ])('%s loses nothing that was acknowledged and doubles nothing', async (_what, withPostgres) => {
    const first = new DevProcess(checkout, ['dev'], UNLIMITED);
    const before = clientOf(await first.ready());
    const accounts = await before.accounts();
    const journal: Entry[] = Array.from({ length: 200 }, (_, n) => ({
      key: randomUUID(),
      body: { ...accounts, amount: String(n + 1) },
      outcome: 'unknown',
    }));
    const server = postgresPid(checkout);
    const sending = Promise.all(journal.map((entry, n) => sleep(n * 2).then(() => before.send(entry))));
    while (journal.filter(({ outcome }) => outcome === 'ok').length < 50) await sleep(1);
    await first.signal('SIGKILL');
    if (withPostgres && server !== undefined) process.kill(server, 'SIGKILL');
    await sending;

    const acknowledged = journal.filter(({ outcome }) => outcome === 'ok');
    const unknown = journal.filter(({ outcome }) => outcome === 'unknown');
    // The fault has landed: some had their answer and some had not.
    expect([acknowledged.length >= 50, unknown.length > 0]).toEqual([true, true]);

    const second = new DevProcess(checkout, ['dev'], UNLIMITED);
    const after = clientOf(await second.ready());
    for (const { id } of acknowledged)
      expect((await after.get(`/v1/ledger/transfers/${id}`)).status).toBe(200);
    // So many at once to a process that has just begun: it may ask some to come again.
    for (let tries = 0; tries < 30 && unknown.some(({ outcome }) => outcome === 'unknown'); tries += 1) {
      if (tries > 0) await sleep(1_000);
      await Promise.all(
        unknown.filter(({ outcome }) => outcome === 'unknown').map((entry) => after.send(entry)),
      );
    }
    expect(journal.every(({ outcome }) => outcome === 'ok')).toBe(true);
    await expectEachOnce(after, accounts, journal);
    await second.signal('SIGTERM');
  });
});

/** Every entry is one transfer with one event, delivered once. */
async function expectEachOnce(
  client: Client,
  { debitAccountId }: { readonly debitAccountId: string },
  journal: readonly Entry[],
): Promise<void> {
  const ids = journal.map(({ id = '' }) => id).toSorted();
  expect(new Set(ids).size).toBe(journal.length);
  const entries = await client.all(`/v1/ledger/accounts/${debitAccountId}/entries`);
  expect(entries.map(({ transferId }) => transferId).toSorted()).toEqual(ids);
  const total = journal.reduce((sum, { body }) => sum + BigInt(body.amount), 0n);
  const account = await client.get(`/v1/ledger/accounts/${debitAccountId}`);
  expect(account.body.balances.postedDebits).toBe(String(total));
  const eventIds: string[] = [];
  for (const id of ids) {
    const { body } = await client.get(`/v1/audit/events?stream=ledger.transfer/${id}`);
    expect(body.data).toHaveLength(1);
    eventIds.push(...body.data.map((event) => event.id));
  }
  await expectDelivered(client, eventIds);
}

async function expectDelivered(client: Client, eventIds: readonly string[]): Promise<void> {
  const wanted = new Set(eventIds);
  let delivered: string[] = [];
  for (let tries = 0; tries < 100 && delivered.length < wanted.size; tries += 1) {
    await sleep(100);
    const events = await client.all('/v1/telemetry/events?type=ledger.transfer.posted');
    delivered = events.map(({ id }) => id).filter((id) => wanted.has(id));
  }
  expect(delivered.toSorted()).toEqual([...wanted].toSorted());
}
