import { setTimeout as sleep } from 'node:timers/promises';
import { untilRecovered, underLoad } from './crashes';
import { tookText } from './ledger-client';
import { paying } from './paying';
import { until } from './postgres-pair';
import type { Row } from './row';
import type { Scene } from './scene';

const isLong = Boolean(process.env['HOLDFAST_TEST_LONG']);
/** Longer than a statement's deadline, the failures that open the circuit, and some refusals behind it. */
const HOLE_MS = isLong ? 30_000 : 12_000;
const WEATHER_MS = isLong ? 15_000 : 2_000;
/** Of an API: for tenants, for credentials and for the operator. */
const POOLS = ['app', 'auth', 'ops'];

const SESSIONS = `
  select count(*)::int as count from pg_stat_activity
  where datname = $1 and application_name like 'holdfast api%'`;

const blackhole: Row = {
  row: 7,
  name: 'a black hole between the APIs and PostgreSQL',
  isLongOnly: true,
  strike: async (scene, random) => {
    const { clients, stage } = scene;
    await underLoad(scene, random);
    const [fellAtMs, held] = [performance.now(), stage.wire.counts.held];
    await stage.wire.set('blackhole');
    await until('the circuit of an API to open', () => isAnyOpen(scene));
    const openedMs = performance.now() - fellAtMs;
    await sleep(HOLE_MS - openedMs);
    const liftedAtMs = performance.now();
    await stage.wire.set('pass');
    const servedMs = await untilRecovered(scene);
    await Promise.all(stage.apis.map((api) => api.untilReady()));
    const readyMs = Math.round(performance.now() - liftedAtMs);
    expect(stage.wire.counts.held).toBeGreaterThan(held);
    const inHole = clients.journal.filter(({ sentAtMs }) => sentAtMs < liftedAtMs && sentAtMs > fellAtMs);
    // Deadlines: what was under way when the hole came was told before it was over.
    const caught = clients.journal.filter(
      ({ sentAtMs, heardAtMs }) => sentAtMs <= fellAtMs && !(heardAtMs < fellAtMs),
    );
    expect(caught.filter(({ heardAtMs }) => heardAtMs > liftedAtMs)).toEqual([]);
    const refused = inHole.filter(({ answer }) => answer.status === 503);
    expect(refused.length).toBeGreaterThan(0);
    expect(
      inHole.filter(({ answer: { status } }) => status === 0 || (status >= 500 && status !== 503)),
    ).toEqual([]);
    const leaks = await expectNothingLeaked(scene);
    return [
      `held for ${HOLE_MS} ms, circuit open after ${Math.round(openedMs)} ms`,
      `${caught.length} caught (${tookText(caught)}), ${refused.length} refused (${tookText(refused)})`,
      `served again after ${servedMs} ms, both ready after ${readyMs} ms, ${leaks}`,
    ].join('; ');
  },
};

/** A network that is bad and not away: everything succeeds, only later. */
function weather(name: string, mode: Parameters<Scene['stage']['wire']['set']>[0]): Row {
  return {
    row: 7,
    name,
    isLongOnly: true,
    strike: async (scene, random) => {
      const { clients, stage } = scene;
      await underLoad(scene, random);
      const before = { ...stage.wire.counts };
      await stage.wire.set(mode);
      const atMs = performance.now();
      await sleep(WEATHER_MS);
      const during = clients.journal.filter(({ sentAtMs }) => sentAtMs > atMs);
      const { late, sliced } = stage.wire.counts;
      expect(late - before.late + sliced - before.sliced).toBeGreaterThan(50);
      await until('clients to be served in it', () => during.some(({ answer }) => answer.status === 201));
      await stage.wire.set('pass');
      const servedMs = await untilRecovered(scene);
      const refused = during.filter(({ answer }) => answer.status >= 500);
      // One that stands behind another's lock for two seconds is told to come again; the network itself refuses nobody.
      expect(refused.filter(({ answer }) => answer.body['code'] !== 'database.busy')).toEqual([]);
      const leaks = await expectNothingLeaked(scene);
      return `${during.length} requests (${tookText(during)}), ${refused.length} told to come again; usual again after ${servedMs} ms, ${leaks}`;
    },
  };
}

async function isAnyOpen({ stage }: Scene): Promise<boolean> {
  const open = await Promise.all(
    stage.apis.flatMap((api) =>
      POOLS.map((pool) => api.metric(`holdfast_database_circuit_open{pool="holdfast api ${pool}"}`)),
    ),
  );
  return open.includes(1);
}

/** Once the load has ended, no API holds a connection in use, and the server has the sessions that the APIs know of. */
async function expectNothingLeaked(scene: Scene): Promise<string> {
  const { pair, database } = scene.stage;
  await scene.traffic.stop();
  await until('connections to be given back', async () => (await connections(scene, 'used')) === 0);
  expect(await connections(scene, 'waiting')).toBe(0);
  let sessions = 0;
  await until('sessions that nobody has to end', async () => {
    const [found] = await pair.admin<{ count: number }>(SESSIONS, [database.name]);
    sessions = found?.count ?? 0;
    return sessions <= (await connections(scene, 'idle')) + (await connections(scene, 'used'));
  });
  return `${sessions} sessions, all of them known`;
}

async function connections({ stage }: Scene, state: 'used' | 'idle' | 'waiting'): Promise<number> {
  const counts = await Promise.all(
    stage.apis.flatMap((api) =>
      POOLS.map((pool) =>
        api.metric(`holdfast_database_connections{pool="holdfast api ${pool}",state="${state}"}`),
      ),
    ),
  );
  return counts.reduce<number>((sum, each) => sum + (each ?? 0), 0);
}

/** Row 7: the network between the APIs and PostgreSQL. */
export const NETWORK_FAULTS: readonly Row[] = [
  blackhole,
  weather('200 ms of jitter', { jitterMs: 200 }),
  weather('bytes one by one', { sliceBytes: 1 }),
].map(paying);
