import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '@holdfast/testing';
import { type Answer, batch, type Entry, isFinal, type LedgerTenant, type Wanted } from './ledger-client';
import { until } from './postgres-pair';
import type { Row } from './row';
import type { Scene } from './scene';

/** Requests with one key at once. */
const AT_ONCE = 50;
/** Kills until one comes in the middle of them. */
const ATTEMPTS_MAX = 5;

/** Sends the same request often at once, to both APIs; answers the entry in the journal and every answer. */
async function atOnce(
  { clients }: Scene,
  wanted: Wanted,
): Promise<{ readonly entry: Entry; readonly answers: readonly Answer[] }> {
  const first = clients.send(wanted, 0);
  const entry = clients.journal.at(-1);
  if (!entry) throw new Error('the journal is written before anything is sent');
  const others = Array.from({ length: AT_ONCE - 1 }, (_, n) => clients.repeat(entry, n % 2));
  const answers = await Promise.all(others);
  return { entry: await first, answers: [entry.answer, ...answers] };
}

/** Every answer that is final is the same, a batch's but for what was created by one of them and exists for the rest. */
function expectOneAnswer(answers: readonly Answer[]): void {
  const final = answers.filter(isFinal).map(({ status, body: { requestId: _request, ...body } }) => {
    return JSON.stringify({ status, body }).replaceAll('"created"', '"exists"');
  });
  expect(new Set(final).size).toBe(1);
}

/** Kinds of requests whose keys are kept in different places: by the ledger, by its ids, and beside the answer. */
function kindsOf(scene: Scene, tenant: LedgerTenant): readonly Wanted[] {
  const [debitAccountId, creditAccountId] = tenant.accounts;
  const { key, body, ...transfer } = scene.transfer(tenant);
  const { id: _chosen, ...withoutId } = body as { readonly id: string };
  const items = [1, 2, 3].map(() => ({ id: randomUUID(), debitAccountId, creditAccountId, amount: '1' }));
  const opening = { code: randomUUID(), asset: 'EUR/2', normalBalance: 'credit' };
  return [
    scene.transfer(tenant),
    {
      ...transfer,
      ...(key !== undefined && { key }),
      body: withoutId,
      effects: [{ amount: '1', outcome: 'unknown' }],
    },
    batch(tenant, items),
    { tenant, path: '/v1/ledger/accounts', key: randomUUID(), body: opening, effects: [] },
  ];
}

const repeated: Row = {
  row: 18,
  name: 'one key: fifty at once, another body, another tenant',
  strike: async (scene, random) => {
    const { clients, tenants } = scene;
    let refused = 0;
    for (const wanted of kindsOf(scene, tenants[0])) {
      const { entry, answers } = await atOnce(scene, wanted);
      expectOneAnswer(answers);
      expect(isFinal(await clients.settle(entry))).toBe(true);
      if (wanted.key === undefined) continue;
      const other = { ...wanted, effects: [], body: { ...wanted.body, metadata: { other: true } } };
      const { answer } = await clients.send(other, random.between(0, 1));
      expect([answer.status, answer.body['code']]).toEqual([422, 'idempotency.key_reused']);
      refused += 1;
    }
    // The key, the id and all of the body of one tenant, as another.
    const [id, key] = [randomUUID(), randomUUID()];
    const entries = tenants.map((tenant): Wanted => {
      const { body, ...wanted } = scene.transfer(tenant);
      return { ...wanted, key, body: { ...body, id }, effects: [{ id, amount: '1', outcome: 'unknown' }] };
    });
    const answers = await Promise.all(entries.map((wanted) => clients.send(wanted, random.between(0, 1))));
    expect(answers.map(({ answer }) => answer.status)).toEqual([201, 201]);
    return `${AT_ONCE} at once of each of 4 kinds, ${refused} other bodies refused, one key and id of two tenants`;
  },
};

/** Kills an API under requests with one key, and repeats them; answers how many were not answered. */
async function crashUnder(scene: Scene, random: Random): Promise<number> {
  const { clients, stage, tenants } = scene;
  const since = clients.journal.length;
  const sending = kindsOf(scene, tenants[0]).map((wanted) => atOnce(scene, wanted));
  const firsts = clients.journal.slice(since);
  // Before anybody is answered, or when the first is.
  if (random.next() < 0.5) await sleep(random.between(0, 20));
  else await until('an answer', () => firsts.some(({ heardAtMs }) => heardAtMs > 0));
  await stage.apis[0].kill();
  const all = await Promise.all(sending);
  await stage.apis[0].start();
  for (const { entry, answers } of all) {
    // From the process that came back and from the one that lived on, what the first of them was told.
    const again = [
      await clients.settle(entry),
      await clients.repeat(entry, 0),
      await clients.repeat(entry, 1),
    ];
    expectOneAnswer([...answers, ...again]);
  }
  return all.flatMap(({ answers }) => answers).filter(({ status }) => status === 0).length;
}

const repeatedAfterCrash: Row = {
  row: 18,
  name: 'one key: fifty at once while an API is killed',
  strike: async (scene, random) => {
    let unanswered = 0;
    // A fast machine may have answered all of them by then.
    for (let n = 0; unanswered === 0 && n < ATTEMPTS_MAX; n += 1)
      unanswered = await crashUnder(scene, random);
    expect(unanswered).toBeGreaterThan(0);
    return `${unanswered} of ${AT_ONCE * 4} requests unanswered, then one answer to all`;
  },
};

/** Row 18: one idempotency key again and again. */
export const REPEATED_KEYS: readonly Row[] = [repeated, repeatedAfterCrash];
