import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { busyTimes, untilRecovered, underLoad } from './crashes';
import { type Entry, tookText } from './ledger-client';
import { paying } from './paying';
import { type PostgresPair, until } from './postgres-pair';
import type { Row } from './row';
import type { Scene } from './scene';
import { type SmallDisk, whyNoSmallDisk } from './small-disk';

/** More than an API has connections and places in their line. */
const READS_AT_ONCE = 320;
/** Most who get no connection are told so within this, on a machine that does nothing else: a line that is waited through takes longer. */
const TOLD_WITHIN_MS = 800;
/** Longer than anybody waits for a lock or for a connection. */
const LOCKED_MS = 3_000;
/** Writes that have met the full disk: enough for some of every kind. */
const LANDED_MIN = 5;
/** Segments of the WAL that may be there in advance, and one. */
const SEGMENTS_MAX = 20;

interface Reading {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly code: string | undefined;
  readonly tookMs: number;
}

const exhaustedPool: Row = {
  row: 8,
  name: 'all connections of an API in use',
  strike: async (scene, random) => {
    const { stage, tenants } = scene;
    await underLoad(scene, random);
    const locking = new Client({ connectionString: stage.database.adminUrl });
    await locking.connect();
    await locking.query('begin');
    await locking.query('lock table ledger.accounts in access exclusive mode');
    const path = `/v1/ledger/accounts/${tenants[0].accounts[0]}`;
    const reading = Array.from({ length: READS_AT_ONCE }, () => read(scene, path));
    await sleep(LOCKED_MS);
    await locking.query('rollback');
    await locking.end();
    const readings = await Promise.all(reading);
    const refused = readings.filter(({ status }) => status !== 200);
    expect(refused.length).toBeGreaterThan(READS_AT_ONCE / 2);
    expect(refused.filter(({ status, retryAfter }) => status !== 503 || retryAfter !== '1')).toEqual([]);
    // Those that had a connection have waited for the lock; the others for one, or were let in by nobody.
    const unserved = refused.filter(({ code }) => code !== 'database.busy');
    expect(unserved.length).toBeGreaterThan(READS_AT_ONCE / 2);
    expect(medianMs(unserved)).toBeLessThan(TOLD_WITHIN_MS * busyTimes());
    const servedMs = await untilRecovered(scene);
    expect((await read(scene, path)).status).toBe(200);
    return `${refused.length} of ${READS_AT_ONCE} reads refused (${readText(refused)}), ${unserved.length} of them without a connection (${readText(unserved)}), served again after ${servedMs} ms`;
  },
};

async function read({ stage, tenants }: Scene, path: string): Promise<Reading> {
  const startedAtMs = performance.now();
  const headers = { authorization: `Bearer ${tenants[0].key}` };
  const response = await fetch(`${stage.apis[0].url}${path}`, { headers });
  const { code } = (await response.json()) as { readonly code?: string };
  const tookMs = performance.now() - startedAtMs;
  return { status: response.status, retryAfter: response.headers.get('retry-after'), code, tookMs };
}

function medianMs(readings: readonly Reading[]): number {
  return (
    readings.map(({ tookMs }) => tookMs).toSorted((one, other) => one - other)[readings.length >> 1] ?? 0
  );
}

function readText(readings: readonly Reading[]): string {
  return tookText(readings.map(({ tookMs }) => ({ sentAtMs: 0, heardAtMs: tookMs })));
}

const fullDisk: Row = {
  row: 8,
  name: 'the disk of the data full',
  strike: async (scene, random) => {
    const why = whyNoSmallDisk();
    if (why !== undefined) return skipped(why);
    const { clients, stage, tenants } = scene;
    return onSmallDisk(scene, 'base', async (disk) => {
      await underLoad(scene, random);
      disk.fill();
      const fullAtMs = performance.now();
      await until('writes to meet the full disk', () => refusedSince(scene, fullAtMs).length >= LANDED_MIN);
      expect(stage.pair.logged()).toContain('No space left on device');
      for (const api of [0, 1])
        expect(
          (await clients.get(tenants[0], `/v1/ledger/accounts/${tenants[0].accounts[0]}`, api)).status,
        ).toBe(200);
      const refused = refusedSince(scene, fullAtMs);
      expect(codesOf(refused)).toEqual(['database.unavailable']);
      disk.free();
      const servedMs = await untilRecovered(scene);
      return `${refused.length} writes refused (${tookText(refused)}), reads answered; served again ${servedMs} ms after there was room`;
    });
  },
};

const fullWal: Row = {
  row: 8,
  name: 'the disk of the WAL full',
  // Four starts of a server; the disk of the data is tried in each run.
  isLongOnly: true,
  strike: async (scene, random) => {
    const why = whyNoSmallDisk();
    if (why !== undefined) return skipped(why);
    const { stage } = scene;
    return onSmallDisk(scene, 'pg_wal', async (disk) => {
      await underLoad(scene, random);
      disk.fill();
      const [fullAtMs, before] = [performance.now(), stage.pair.logged().length];
      const panicked = (): boolean => /PANIC: .*No space left/.test(stage.pair.logged().slice(before));
      for (let n = 0; n < SEGMENTS_MAX && !panicked(); n += 1)
        await stage.pair.admin('select pg_switch_wal()').catch(() => {}); // The server may end at it.
      await until('the server to end for want of room', panicked);
      await until('writes to meet it', () => refusedSince(scene, fullAtMs).length >= LANDED_MIN);
      const refused = refusedSince(scene, fullAtMs);
      disk.free();
      // As whatever supervises it does, should it not have come back by itself.
      await stage.pair.restartPrimary();
      const servedMs = await untilRecovered(scene);
      return `${refused.length} writes refused (${tookText(refused)}: ${codesOf(refused).join(', ')}); served again ${servedMs} ms after the server was`;
    });
  },
};

/** The primary is restarted before and behind it, which is not what is tried. */
async function onSmallDisk(
  scene: Scene,
  part: Parameters<PostgresPair['onSmallDisk']>[0],
  work: (disk: SmallDisk) => Promise<string>,
): Promise<string> {
  const landed = await scene.stage.pair.onSmallDisk(part, async (disk) => {
    await untilRecovered(scene);
    return work(disk);
  });
  await untilRecovered(scene);
  return landed;
}

function refusedSince({ clients }: Scene, sinceMs: number): readonly Entry[] {
  return clients.journal.filter(({ sentAtMs, answer }) => sentAtMs > sinceMs && answer.status === 503);
}

function codesOf(entries: readonly Entry[]): readonly string[] {
  return [...new Set(entries.map(({ answer }) => String(answer.body['code'])))].toSorted();
}

function skipped(why: string): string {
  return `Skipped: ${why}`;
}

/** Row 8: what runs out. */
export const EXHAUSTION: readonly Row[] = [exhaustedPool, fullDisk, fullWal].map(paying);
