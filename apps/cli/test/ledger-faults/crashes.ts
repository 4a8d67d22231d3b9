import { loadavg, availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '@holdfast/testing';
import { until } from './postgres-pair';
import type { Row } from './row';
import type { Scene } from './scene';
import { acknowledgedSince } from './traffic';

/** How soon a process that was killed is ready again, on a machine that does nothing else. */
const READY_WITHIN_MS = 5_000;

/** Under a load that others make, everything takes longer: by how many times. */
export function busyTimes(): number {
  return Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
}

/** Lets the load run for a moment, so that the fault comes at another point of it each time. */
export async function underLoad({ clients }: Scene, random: Random): Promise<void> {
  const before = clients.journal.length;
  await sleep(random.between(100, 800));
  await until('the load', () => clients.journal.length > before + 20);
}

/** The clients are answered again without anybody's help. */
export async function untilRecovered({ clients }: Scene): Promise<number> {
  const sinceMs = performance.now();
  await until('clients to be served', () => acknowledgedSince(clients.journal, sinceMs).length > 10);
  return Math.round(performance.now() - sinceMs);
}

const killApis: Row = {
  row: 1,
  name: 'kill -9 of one API or of both',
  // crash.e2e.spec.ts kills the whole of `holdfast dev`.
  isLongOnly: true,
  strike: async (scene, random) => {
    const { apis } = scene.stage;
    const victims = random.next() < 0.5 ? apis : [random.pick(apis)];
    await underLoad(scene, random);
    await Promise.all(victims.map((api) => api.kill()));
    const readyMs = Math.round(Math.max(...(await Promise.all(victims.map((api) => api.start())))));
    // Two that start at once share the machine.
    expect(readyMs).toBeLessThan(victims.length * READY_WITHIN_MS * busyTimes());
    // They died with requests that they had not answered.
    expect(scene.unknown.length).toBeGreaterThan(0);
    return `${victims.length} killed, ready again after ${readyMs} ms, ${scene.unknown.length} requests unanswered`;
  },
};

const crashPrimary: Row = {
  row: 4,
  name: 'PostgreSQL stopped immediately and restarted',
  strike: async (scene, random) => {
    const { pair } = scene.stage;
    await underLoad(scene, random);
    const [pid, atMs] = [pair.pid, performance.now()];
    await pair.restartPrimary();
    expect(pair.pid).not.toBe(pid);
    const servedMs = await untilRecovered(scene);
    return `${interrupted(scene, atMs)}, served again ${servedMs} ms after it was back`;
  },
};

const failOver: Row = {
  row: 4,
  name: 'the primary killed and its standby promoted',
  strike: async (scene, random) => {
    const { stage } = scene;
    await underLoad(scene, random);
    expect(await stage.pair.isFollowed()).toBe(true);
    const [lost, atMs] = [await stage.pair.timeline(), performance.now()];
    await stage.pair.failOver();
    stage.followPrimary();
    expect(await stage.pair.timeline()).toBeGreaterThan(lost);
    const servedMs = await untilRecovered(scene);
    const landed = interrupted(scene, atMs);
    // Another standby, for the next run; the APIs see one more restart.
    await stage.pair.join();
    await untilRecovered(scene);
    return `${landed}, served again ${servedMs} ms after the promotion`;
  },
};

/** Requests under way when the fault came that did not succeed. */
function interrupted({ clients }: Scene, atMs: number): string {
  const hit = clients.journal.filter(
    ({ sentAtMs, heardAtMs, answer }) => sentAtMs < atMs && heardAtMs > atMs && answer.status !== 201,
  );
  const refused = clients.journal.filter(({ sentAtMs, answer }) => sentAtMs > atMs && answer.status === 503);
  expect(hit.length + refused.length).toBeGreaterThan(0);
  return `${hit.length} requests interrupted, ${refused.length} answered 503`;
}

/** Rows 1 and 4: processes and servers that die. */
export const CRASHES: readonly Row[] = [killApis, crashPrimary, failOver];
