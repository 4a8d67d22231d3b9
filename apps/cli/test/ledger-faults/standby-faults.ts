import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '@holdfast/testing';
import { untilRecovered, underLoad } from './crashes';
import { type Entry, isFinal, type Wanted } from './ledger-client';
import { type PostgresPair, until } from './postgres-pair';
import type { Row } from './row';
import type { Scene } from './scene';
import { acknowledgedSince } from './traffic';

/** What PostgreSQL's own answer to a commit has in it. */
const COMMITTED = 'COMMIT\0';
/** Cancelled waits and cut answers of a run at least: enough for some of every kind of request. */
const LANDED_MIN = 5;
/** Requests of unknown outcome that are repeated while nothing can be known yet. */
const REPEATED = 4;

const WAITING = "select count(*)::int as waiting from pg_stat_activity where wait_event = 'SyncRep'";
const CANCEL = `
  select pg_cancel_backend(pid) from pg_stat_activity
  where wait_event = 'SyncRep' and usename = 'holdfast_app'`;

/**
 * Requests that were told that their outcome is not known. They may have been sent before the fault: what they have
 * locked stays so, and those that come behind them are told to come again.
 */
function toldUnknown({ clients }: Scene, sinceMs: number): readonly Entry[] {
  return clients.journal.filter(
    ({ heardAtMs, answer }) => heardAtMs > sinceMs && answer.body['code'] === 'outcome_unknown',
  );
}

/** Repeats some while their outcome cannot be known: none may be told that it is. */
async function repeatInVain({ clients }: Scene, entries: readonly Entry[], random: Random): Promise<void> {
  const some = Array.from({ length: REPEATED }, () => random.pick(entries));
  const answers = await Promise.all(some.map((entry) => clients.repeat(entry, random.between(0, 1))));
  expect(answers.filter(isFinal)).toEqual([]);
}

const standbyGone: Row = {
  row: 5,
  name: 'the standby gone, and back',
  strike: async (scene, random) => {
    const { clients, stage, tenants } = scene;
    await underLoad(scene, random);
    await stage.pair.stopStandby();
    const goneAtMs = performance.now();
    await until('the deadline of a write', () => toldUnknown(scene, goneAtMs).length > 0);
    const [state] = await stage.pair.admin<{ waiting: number }>(WAITING);
    expect(state?.waiting).toBeGreaterThan(0);
    for (const api of [0, 1])
      expect(
        (await clients.get(tenants[0], `/v1/ledger/accounts/${tenants[0].accounts[0]}`, api)).status,
      ).toBe(200);
    await repeatInVain(scene, toldUnknown(scene, goneAtMs), random);
    expect(acknowledgedSince(clients.journal, goneAtMs)).toEqual([]);
    const told = toldUnknown(scene, goneAtMs).length;
    await stage.pair.startStandby();
    const servedMs = await untilRecovered(scene);
    return `${told} writes told that nothing is known, none that it is; served again after ${servedMs} ms`;
  },
};

/** Cancels every wait for the standby, again and again until it is stopped. */
function cancelWaits(pair: PostgresPair): { readonly count: number; stop(): Promise<void> } {
  const stopping = new AbortController();
  let count = 0;
  const cancelling = (async () => {
    for (; !stopping.signal.aborted; await sleep(20)) count += (await pair.admin(CANCEL)).length;
  })();
  return {
    get count() {
      return count;
    },
    stop: () => {
      stopping.abort();
      return cancelling;
    },
  };
}

const cancelled: Row = {
  row: 6,
  name: 'waits for the standby cancelled',
  strike: async (scene, random) => {
    const { clients, stage, tenants } = scene;
    await underLoad(scene, random);
    await stage.pair.stopStandby();
    const goneAtMs = performance.now();
    const cancelling = cancelWaits(stage.pair);
    try {
      const opening = accountOf(scene);
      await until(
        'a wait to be cancelled',
        () => cancelling.count >= LANDED_MIN && toldUnknown(scene, goneAtMs).length > 0,
      );
      const opened = await clients.send(opening);
      expect(opened.answer.body['code']).toBe('outcome_unknown');
      // It is there to be read already, and on this server alone.
      expect(isFinal(await clients.repeat(opened))).toBe(false);
      await repeatInVain(scene, toldUnknown(scene, goneAtMs), random);
      expect(acknowledgedSince(clients.journal, goneAtMs)).toEqual([]);
      await cancelling.stop();
      await stage.pair.startStandby();
      expect((await clients.settle(opened)).status).toBe(201);
    } finally {
      await cancelling.stop();
    }
    await untilRecovered(scene);
    return `${cancelling.count} waits cancelled, ${toldUnknown(scene, goneAtMs).length} writes told so, ${tenants.length} tenants`;
  },
};

const cutCommit: Row = {
  row: 6,
  name: 'connections cut in the reply to COMMIT',
  strike: async (scene, random) => {
    const { clients, stage } = scene;
    await underLoad(scene, random);
    const before = stage.wire.counts.cut;
    await stage.wire.set({ cutAt: COMMITTED });
    const sinceMs = performance.now();
    const told = (): readonly Entry[] => toldUnknown(scene, sinceMs);
    await until(
      'replies to be cut',
      () => stage.wire.counts.cut >= before + LANDED_MIN && told().length >= LANDED_MIN,
    );
    const acknowledged = acknowledgedSince(clients.journal, sinceMs);
    await stage.wire.set('pass');
    expect(acknowledged).toEqual([]);
    // They were told that nothing is known, and some are there.
    const ids = told().flatMap(({ effects }) => effects.flatMap(({ id }) => id ?? []));
    const there = await stage.database.admin('select from ledger.transfers where id = any ($1::uuid[])', [
      ids,
    ]);
    expect(there.length).toBeGreaterThan(0);
    await untilRecovered(scene);
    return `${stage.wire.counts.cut - before} replies cut, ${told().length} writes told so, ${there.length} of their transfers there`;
  },
};

/** A request whose answer is kept under its key, not by the ledger. */
function accountOf({ tenants: [tenant] }: Scene): Wanted {
  const body = { code: randomUUID(), asset: 'EUR/2', normalBalance: 'credit' };
  return { tenant, path: '/v1/ledger/accounts', key: randomUUID(), body, effects: [] };
}

/** Rows 5 and 6: commits that are on one server, or of which nobody hears. */
export const STANDBY_FAULTS: readonly Row[] = [standbyGone, cancelled, cutCommit];
