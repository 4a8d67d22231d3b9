import { setTimeout as sleep } from 'node:timers/promises';
import { Bulkhead, type Release } from './bulkhead';

const MAX = 3;
const ROOM = { permits: MAX, places: MAX };

async function entered(bulkhead: Bulkhead, key = 'a'): Promise<Release> {
  const release = await bulkhead.enter(key, ROOM);
  if (!release) throw new Error('refused');
  return release;
}

async function full(bulkhead: Bulkhead): Promise<Release[]> {
  return Promise.all(Array.from({ length: MAX }, () => entered(bulkhead)));
}

describe('A bulkhead', () => {
  it('admits as many as it has permits for, by key', async () => {
    const bulkhead = new Bulkhead();
    await full(bulkhead);
    expect(await bulkhead.enter('a', ROOM)).toBeUndefined();
    await entered(bulkhead, 'b');
  });

  it('hands a permit that is given back to the one who came first', async () => {
    const bulkhead = new Bulkhead();
    const [first, second] = await full(bulkhead);
    const order: number[] = [];
    const waiting = [1, 2].map(async (n) => {
      const release = await entered(bulkhead);
      order.push(n);
      return release;
    });
    first?.();
    await waiting[0];
    expect(order).toEqual([1]);
    second?.();
    await waiting[1];
    expect(order).toEqual([1, 2]);
  });

  it('lets no more wait than there are places, and nobody for long', async () => {
    const bulkhead = new Bulkhead();
    await full(bulkhead);
    const waiting = Array.from({ length: MAX }, () => bulkhead.enter('a', ROOM));
    let isOver = false;
    void waiting[0]?.then(() => (isOver = true));
    expect(await bulkhead.enter('a', ROOM)).toBeUndefined();
    expect(isOver).toBe(false);
    expect(await Promise.all(waiting)).toEqual([undefined, undefined, undefined]);
  });

  it('takes a permit back once, however often it is released', async () => {
    const bulkhead = new Bulkhead();
    const [release] = await full(bulkhead);
    release?.();
    release?.();
    await entered(bulkhead);
    expect(await bulkhead.enter('a', ROOM)).toBeUndefined();
  });

  it('gives the place of one who has gone to the next, and loses no permit', async () => {
    const bulkhead = new Bulkhead();
    const [release] = await full(bulkhead);
    let leave = (): void => {};
    const gone = bulkhead.enter('a', ROOM, (giveUp) => (leave = giveUp));
    const next = entered(bulkhead);
    leave();
    release?.();
    expect(await gone).toBeUndefined();
    (await next)();
    await entered(bulkhead);
    expect(await bulkhead.enter('a', ROOM)).toBeUndefined();
  });

  it('has all its permits back after many have come and gone at random', async () => {
    const bulkhead = new Bulkhead();
    let [atWork, most, refused] = [0, 0, 0];
    await Promise.all(
      Array.from({ length: 300 }, async (_, n) => {
        await sleep(n % 50);
        const release = await bulkhead.enter(
          'a',
          ROOM,
          (giveUp) => void (n % 7 === 0 && setImmediate(giveUp)),
        );
        if (!release) return (refused += 1);
        most = Math.max(most, (atWork += 1));
        await sleep(n % 5);
        atWork -= 1;
        release();
        return 0;
      }),
    );
    expect(most).toBe(MAX);
    expect(refused).toBeGreaterThan(0);
    await full(bulkhead);
  });
});
