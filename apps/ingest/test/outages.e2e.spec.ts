import { setTimeout as sleep } from 'node:timers/promises';
import { fingerprintOf } from '@holdfast/ingest';
import { booksText, unaccounted } from './books';
import { OUTAGE_MS, outcomeText, say, Scene, statusOfEvent } from './scene';

const SETTLED_WITHIN_MS = 60_000;

// Guards promise 7 and row 11 of the faults: ingest answers whatever its store does, and then every event is there once.
describe('While ClickHouse is away', () => {
  let scene: Scene;
  beforeEach(async () => (scene = await Scene.open()));
  afterEach(() => scene.close());

  it('under load, every request is answered 200, and each event is in the store once when it is back', async () => {
    const tenants = [scene.tenant(), scene.tenant()];
    const ingest = await scene.start();
    const before = await scene.send(tenants, { seconds: 2 }).outcome;
    const load = scene.send(tenants, { seconds: (OUTAGE_MS + 2_000) / 1_000 });
    await sleep(500);
    await scene.store.kill();
    await sleep(OUTAGE_MS - 500);
    const away = await ingest.books();
    // The outage has landed: what came meanwhile waits.
    expect(away.spilled + away.inFlight).toBeGreaterThan(0);
    await scene.store.resume();
    const during = await load.outcome;
    const books = await ingest.settled(SETTLED_WITHIN_MS);
    say(
      `ClickHouse there: ${outcomeText(before)}`,
      `away for ${OUTAGE_MS / 1_000} s: ${outcomeText(during)}`,
    );
    say(`when it was away: ${booksText(away)}`, `behind it: ${booksText(books)}`);
    expect(Object.keys(during.statuses)).toEqual(['200']);
    expect([unaccounted(away), unaccounted(books)]).toEqual([0, 0]);
    expect(books).toMatchObject({ dropped: {}, inFlight: 0, spilled: 0 });
    expect(await scene.store.idsOf(load.run)).toEqual(during.acknowledged.toSorted());
  });

  it('and the API as well, at a cold start, it answers 200, refuses keys by the list on disk, and stores later', async () => {
    await scene.store.kill();
    const [good, revoked, suspended] = [scene.tenant(), scene.tenant(), scene.tenant()];
    scene.leaveKeyList({
      revoked: [fingerprintOf(revoked.keyId)],
      suspended: [fingerprintOf(suspended.tenantId)],
    });
    const ingest = await scene.start();
    expect(await statusOfEvent(ingest.port, good.writeKey)).toBe(200);
    expect(await statusOfEvent(ingest.port, revoked.writeKey)).toBeGreaterThanOrEqual(401);
    expect(await statusOfEvent(ingest.port, suspended.writeKey)).toBeGreaterThanOrEqual(401);
    const load = scene.send([good], { seconds: OUTAGE_MS / 1_000 });
    const outcome = await load.outcome;
    expect((await ingest.books()).stored).toBe(0);
    await scene.store.resume();
    const books = await ingest.settled(SETTLED_WITHIN_MS);
    say(`cold start without a store: ${outcomeText(outcome)}`, booksText(books));
    expect(Object.keys(outcome.statuses)).toEqual(['200']);
    expect(unaccounted(books)).toBe(0);
    expect(await scene.store.idsOf(load.run)).toEqual(outcome.acknowledged.toSorted());
  });

  it('over and over, killed in the middle of batches, no event is there twice or missing', async () => {
    const ingest = await scene.start();
    const rounds = process.env['HOLDFAST_TEST_LONG'] ? 20 : 4;
    const load = scene.send([scene.tenant()], { seconds: rounds * 2 + 5 });
    for (let round = 0; round < rounds; round += 1) {
      await sleep(500 + Math.random() * 500);
      await scene.store.kill();
      await sleep(300);
      await scene.store.resume();
    }
    load.stop();
    const outcome = await load.outcome;
    const books = await ingest.settled(SETTLED_WITHIN_MS);
    say(`killed ${rounds} times: ${outcomeText(outcome)}`, booksText(books));
    expect(Object.keys(outcome.statuses)).toEqual(['200']);
    expect(unaccounted(books)).toBe(0);
    expect(await scene.store.idsOf(load.run)).toEqual(outcome.acknowledged.toSorted());
  });
});
