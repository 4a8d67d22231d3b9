import { RollUps } from '@holdfast/clickhouse';
import { booksText, unaccounted } from './books';
import { outcomeText, say, Scene } from './scene';

const HOUR_MS = 3_600_000;
const EVENTS = 300;
const USERS = 40;

// Guards promise 7: SDKs send again what was not answered in time, so each event may come several times.
describe('Events that come three times', () => {
  let scene: Scene;
  beforeEach(async () => (scene = await Scene.open()));
  afterEach(() => scene.close());

  it('are counted once, also when the store is killed meanwhile', async () => {
    const tenant = scene.tenant();
    const ingest = await scene.start();
    const load = scene.send([tenant], { seconds: 4, copies: 3, perSecond: 90 });
    setTimeout(() => void scene.store.kill().then(() => scene.store.resume()), 1_500);
    const outcome = await load.outcome;
    await ingest.settled(60_000);
    const distinct = [...new Set(outcome.acknowledged)].toSorted();
    say(
      `three times each: ${outcomeText(outcome)}, ${distinct.length} of ${outcome.acknowledged.length} distinct`,
    );
    // The fault has landed.
    expect(outcome.acknowledged.length).toBeGreaterThan(distinct.length * 2.5);
    expect(await scene.store.idsOf(load.run)).toEqual(distinct);
  });

  it('are counted once in the hour that they happened in, also those that come when it has been counted', async () => {
    const { tenantId, writeKey } = scene.tenant();
    const ingest = await scene.start();
    const hour = new Date(Math.floor(Date.now() / HOUR_MS - 3) * HOUR_MS);
    const events = Array.from({ length: EVENTS }, (_, number) => ({
      type: 'track',
      event: 'Order Completed',
      messageId: `copy-${number}`,
      userId: `user-${number % USERS}`,
      timestamp: new Date(hour.getTime() + number * 1_000).toISOString(),
    }));
    const send = async (size: number): Promise<void> => {
      for (let from = 0; from < EVENTS; from += size) {
        const batch = events.slice(from, from + size);
        const answer = await fetch(`http://127.0.0.1:${ingest.port}/v1/batch`, {
          method: 'POST',
          body: JSON.stringify({ batch, writeKey }),
        });
        expect([answer.status, await answer.json()]).toEqual([200, { success: true }]);
      }
    };
    const rolledUp = async (): Promise<unknown> => {
      const books = await ingest.settled(60_000);
      say(booksText(books));
      expect([unaccounted(books), books.inFlight, books.spilled]).toEqual([0, 0, 0]);
      const rollUps = new RollUps({ url: scene.store.url }, { onError: () => {} });
      await rollUps.run();
      await rollUps.stop();
      return scene.store.rows(
        `select toUnixTimestamp(h.hour) as at, toUInt32(h.events) as events, toUInt32(u.users) as users
         from (select hour, sum(events) as events from telemetry.hourly final where tenant_id = {tenant:UUID} group by hour) h
         join (
           select begins, uniqExactMerge(users) as users from telemetry.user_sets final
           where tenant_id = {tenant:UUID} and span = 'hour' and is_total = 1 group by begins
         ) u on u.begins = h.hour`,
        { tenant: tenantId },
      );
    };
    // In other batches each time, so that no token knows them again.
    await Promise.all([send(EVENTS), send(70)]);
    const counted = [{ at: hour.getTime() / 1_000, events: EVENTS, users: USERS }];
    expect(await rolledUp()).toEqual(counted);
    await send(45);
    expect(await rolledUp()).toEqual(counted);
    expect(await scene.store.idsOf('copy')).toHaveLength(EVENTS);
    // They have come: three rows of each were taken.
    expect((await ingest.books()).stored).toBe(3 * EVENTS);
  });
});
