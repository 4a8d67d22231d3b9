import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import type { Database } from '@holdfast/database';
import type { TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { appendUnderLock, prepareKeys, takeXid } from '../test/event-writers';
import { listRange } from './store-cursors.sql';
import { listTenantRange } from './tenant-cursors.sql';
import { acquireLease, makeTick, relaying } from './ticks.sql';

const WRITERS = 6;
const KEYS = 20;
const TRANSACTIONS = process.env['HOLDFAST_TEST_LONG'] ? 400 : 60;
const SEED = Number(process.env['HOLDFAST_TEST_SEED'] ?? randomInt(2 ** 31));

/** Mulberry32 (Tommy Ettinger): small, and the same everywhere for the same seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const PURPOSE = new Error('rolled back on purpose');

/** Writes transactions on one to three keys; some hold their xid for long, some roll back. Answers what was committed. */
async function write(
  tenants: TenantDatabase,
  caller: Caller,
  keys: readonly string[],
  random: () => number,
): Promise<string[]> {
  const committed: string[] = [];
  for (let i = 0; i < TRANSACTIONS; i += 1) {
    const wanted = [
      ...new Set(
        Array.from({ length: 1 + Math.floor(random() * 3) }, () => keys[Math.floor(random() * KEYS)] ?? ''),
      ),
    ];
    const [early, late, undone] = [
      random() < 0.15 ? random() * 60 : 0,
      random() < 0.1 ? random() * 30 : 0,
      random() < 0.1,
    ];
    try {
      committed.push(
        ...(await tenants.transaction(caller, async (tx) => {
          if (random() < 0.7) await takeXid(tx);
          if (early) await sleep(early);
          const events = await appendUnderLock(tx, wanted);
          if (late) await sleep(late);
          if (undone) throw PURPOSE;
          return events;
        })),
      );
    } catch (error) {
      if (error !== PURPOSE) throw error;
    }
  }
  return committed;
}

/** Keys whose events were delivered out of the order of their versions. */
function inversions(delivered: readonly string[]): string[] {
  const last = new Map<string, number>();
  return delivered.filter((event) => {
    const [key = '', version = ''] = event.split('/');
    const expected = (last.get(key) ?? 0) + 1;
    last.set(key, Number(version));
    return Number(version) !== expected;
  });
}

describe('The order of the log under six writers', () => {
  let database: TestDatabase;
  let relay: Database;
  beforeAll(async () => {
    database = await TestDatabase.create();
    relay = database.as('holdfast_relay');
  });
  afterAll(() => database.drop());

  it('loses nothing and inverts no key, read tick by tick, in merged ticks, and by the tenant', async () => {
    process.stdout.write(`seed ${SEED}: replay with HOLDFAST_TEST_SEED=${SEED}\n`);
    const random = randomFrom(SEED);
    const caller = await database.caller(newId());
    const tenants = database.tenants(WRITERS + 2);
    const keys = Array.from(
      { length: KEYS },
      (_, i) => `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`,
    );
    await prepareKeys(database, caller.tenantId, keys);
    const fence = (await acquireLease(relay, 'random', 60_000)) ?? 0n;

    const writing = { ended: false };
    const holder = tenants.transaction(caller, async (tx) => {
      await takeXid(tx); // An unrelated writer that is open for the whole time.
      while (!writing.ended) await sleep(20);
    });
    const writers = Promise.all(
      Array.from({ length: WRITERS }, (_, i) => write(tenants, caller, keys, randomFrom(SEED + i))),
    ).finally(() => (writing.ended = true));

    const byTick: string[] = [];
    let fromTick = 0n;
    const page = 1 + Math.floor(random() * 20);
    for (let done = false; !done; await sleep(random() * 15)) {
      done = writing.ended;
      const tick = await makeTick(relay, { holder: 'random', fence, leaseMs: 60_000 });
      if (!tick) continue;
      for (let afterSeq = 0n; ;) {
        const range = { fromTick, toTick: tick.id, afterSeq, throughSeq: null };
        const events = await relaying(relay, (tx) => listRange(tx, range, page));
        byTick.push(...events.map((event) => `${event.streamId}/${event.streamVersion}`));
        if (events.length < page) break;
        afterSeq = events.at(-1)?.seq ?? afterSeq;
      }
      fromTick = tick.id;
    }
    const committed = (await writers).flat();
    await holder;

    const last = fromTick;
    const merged: string[] = [];
    for (let from = 0n; from < last;) {
      const to = from + 1n + BigInt(Math.floor(random() * 30));
      const range = { fromTick: from, toTick: to < last ? to : last, afterSeq: 0n };
      const events = await tenants.reading(caller, (tx) => listTenantRange(tx, range, 100_000));
      merged.push(...events.map((event) => `${event.streamId}/${event.streamVersion}`));
      from = range.toTick;
    }
    expect(committed.length).toBeGreaterThan(TRANSACTIONS * 3);
    expect(byTick.toSorted()).toEqual(committed.toSorted());
    expect(merged.toSorted()).toEqual(committed.toSorted());
    expect({ byTick: inversions(byTick), merged: inversions(merged) }).toEqual({ byTick: [], merged: [] });
  }, 120_000);
});
