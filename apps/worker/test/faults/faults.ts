import { randomUUID } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatedGroups, STEPS, type Step } from '@holdfast/events';
import type { Random, TestDatabase } from '@holdfast/testing';
import { duplicateWakeUps } from './duplicates';
import type { Scene } from './scene';
import type { WorkerOptions } from './worker-process';

/** A way to do harm to a scene under load. `strike` does it, undoes what does not end by itself, and proves that it landed. */
export interface Fault {
  readonly name: string;
  /** Where it needs Redis. */
  readonly needs?: 'redis';
  /** Where it needs so many tenants at least. */
  readonly tenantsMin?: number;
  /** How the workers are started. */
  readonly workers?: (random: Random) => WorkerOptions;
  strike(scene: Scene, random: Random): Promise<void>;
}

/** The lease and a look of a standby, and some more for a machine under load: by then another leads. */
const LONGER_THAN_LEASE_MS = 5_000;
const isLong = Boolean(process.env['HOLDFAST_TEST_LONG']);
/** What a fault waits for happens within a second, but for a machine under load. */
const LANDED_WITHIN_MS = 30_000;
/** ClickHouse is away for so long; store-outage.e2e.spec.ts has it away for a minute. */
const OUTAGE_MS = isLong ? 12_000 : 4_000;
const REDIS_OUTAGE_MS = isLong ? 60_000 : 4_000;

/** What has to be the matter for a step to be passed at all. */
const CIRCUMSTANCES: Partial<Record<Step, (scene: Scene) => Promise<void>>> = {
  'tenant-delivery.occupied': (scene) => duplicateWakeUps(scene, 40),
  'tenant-delivery.rewound': replayEffects,
  'store-delivery.failed': async ({ stage: { clickHouseProxy } }) => {
    await clickHouseProxy.set('refuse');
    await sleep(1_500);
    await clickHouseProxy.set('pass');
  },
};

/** Where the fault comes did not come: a leader that serves its keys by itself enqueues nothing, for one. It proves nothing. */
export class NotLanded extends Error {
  override readonly name = 'NotLanded';
}

/** Whether a cursor of the group `effects` has followed that many replays. */
async function hasCursor(database: TestDatabase, generation: number): Promise<boolean> {
  const found = await database.admin(
    "select from events.tenant_cursors where group_name = 'effects' and generation >= $1 limit 1",
    [generation],
  );
  return found.length > 0;
}

/** Has the group `effects` undo all and begin again, as an operator would. */
async function replayEffects({ database }: Scene): Promise<void> {
  await until(() => hasCursor(database, 0), 'there was nothing to replay');
  const groups = new OperatedGroups(database.as('holdfast_ops', 1));
  const acting = { actor: 'operator:tester', reason: 'a test of faults', requestKey: randomUUID() };
  await groups.replay('effects', 'beginning', acting);
}

/** Options of workers under which a step is passed. */
function optionsFor(step: Step): WorkerOptions {
  if (/^tenant-delivery.failed|^parked-/.test(step)) return { failing: 0.2 };
  if (step.startsWith('store-parking')) return { refusing: 0.5, losing: 0.2 };
  if (step === 'tenant-delivery.occupied') return { paceMs: 60 };
  // The queue gets what the relay's own process does not come to.
  if (step === 'relay.enqueued') return { paceMs: 250 };
  return {};
}

/** A leader delivers to four keys at a time by itself: with as many tenants nothing goes through the queue. */
function tenantsFor(step: Step): number {
  return step === 'relay.enqueued' ? 6 : 1;
}

/** Passes that come often are waited for a little longer, so that the process dies under load and not at its start. */
function passOf(step: Step, random: Random): number {
  return /leased|failed|occupied|enqueued|rewound|parked|parking/.test(step) ? 1 : random.between(1, 25);
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + LANDED_WITHIN_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new NotLanded(what);
    await sleep(20);
  }
}

function killAt(step: Step): Fault {
  return {
    name: `kill -9 at ${step}`,
    tenantsMin: tenantsFor(step),
    workers: (random) => ({ ...optionsFor(step), faults: `${step}=kill@${passOf(step, random)}` }),
    strike: async (scene) => {
      await CIRCUMSTANCES[step]?.(scene);
      const died = (): boolean =>
        scene.workers.some(
          ({ isGone, faults }) => isGone && faults.some((fault) => fault.startsWith(`kill at ${step},`)),
        );
      await until(died, `no worker died at ${step}\n${scene.output}`);
    },
  };
}

function stopAt(step: Step): Fault {
  return {
    name: `SIGSTOP at ${step} for longer than the lease`,
    tenantsMin: tenantsFor(step),
    workers: (random) => ({ ...optionsFor(step), faults: `${step}=stop@${passOf(step, random)}` }),
    strike: async (scene) => {
      const stopped = (): Scene['alive'] => scene.alive.filter(({ isStopped }) => isStopped);
      await until(() => stopped().length > 0, `no worker stopped at ${step}`);
      await sleep(LONGER_THAN_LEASE_MS);
      // All of them, should each have stopped by now.
      for (const worker of stopped()) worker.signal('SIGCONT');
    },
  };
}

function sleepAt(step: Step): Fault {
  return {
    name: `sleep at ${step}`,
    workers: (random) => ({
      ...optionsFor(step),
      faults: `${step}=sleep:${random.between(1_000, isLong ? 11_000 : 4_000)}@${passOf(step, random)}`,
    }),
    strike: async (scene) => {
      await until(() => scene.faults.some((fault) => fault.startsWith(`sleep at ${step},`)), step);
    },
  };
}

const killLeader: Fault = {
  name: 'kill -9 of the leader',
  strike: async (scene) => {
    const [leader, fence] = [await scene.leader(), await scene.fence()];
    await leader.kill();
    for (let waitedMs = 0; (await scene.fence()) === fence; waitedMs += 50) {
      if (waitedMs > 15_000) throw new Error('nobody took over');
      await sleep(50);
    }
  },
};

const killOther: Fault = {
  name: 'kill -9 of a worker that does not lead',
  strike: async (scene, random) => {
    const leader = await scene.leader();
    const others = scene.alive.filter((worker) => worker !== leader);
    const victim = random.pick(others);
    await victim.kill();
    expect(await victim.gone).toBe('SIGKILL');
  },
};

const killAll: Fault = {
  name: 'kill -9 of all workers at once',
  strike: async (scene) => {
    const victims = scene.alive;
    await Promise.all(victims.map((worker) => worker.kill()));
    expect(victims.length).toBeGreaterThan(1);
  },
};

const stopLeader: Fault = {
  name: 'SIGSTOP of the leader for longer than its lease',
  strike: async (scene) => {
    const [leader, fence] = [await scene.leader(), await scene.fence()];
    leader.signal('SIGSTOP');
    await until(() => leader.isStopped, 'the leader did not stop');
    await sleep(LONGER_THAN_LEASE_MS);
    // Another leads, so there are two at the moment when this one wakes up.
    expect((await scene.fence()) > fence).toBe(true);
    const last = await lastTickOf(scene, fence);
    leader.signal('SIGCONT');
    for (let waitedMs = 0; await leader.isLeading(); waitedMs += 50) {
      if (waitedMs > 10_000) throw new Error('it still believes that it leads');
      await sleep(50);
    }
    expect(await lastTickOf(scene, fence)).toBe(last);
  },
};

/** The last tick that was made under a fence. */
async function lastTickOf({ database }: Scene, fence: bigint): Promise<string | undefined> {
  const [tick] = await database.admin<{ id: string }>(
    'select max(id)::text as id from events.ticks where fence = $1',
    [fence],
  );
  return tick?.id;
}

const flushRedis: Fault = {
  name: 'FLUSHALL again and again',
  needs: 'redis',
  strike: async ({ stage }, random) => {
    let flushed = 0;
    for (let n = 0; n < 8; n += 1) {
      await sleep(random.between(50, 400));
      const ask = (...words: string[]): string =>
        spawnSync('redis-cli', ['-p', String(stage.redisPort), ...words], { encoding: 'utf8' }).stdout;
      flushed += Number(ask('dbsize'));
      expect(ask('flushall')).toMatch(/OK/);
    }
    expect(flushed).toBeGreaterThan(0);
  },
};

const stopRedis: Fault = {
  name: 'Redis stopped and started again',
  needs: 'redis',
  strike: async (scene) => {
    await scene.stage.stopRedis();
    await sleep(REDIS_OUTAGE_MS);
    await scene.stage.startRedis();
    // Somebody wanted it meanwhile and did not get it.
    expect(scene.output).toMatch(/of wake\.|waking /);
  },
};

const crashPostgres: Fault = {
  name: 'PostgreSQL crashed and restarted',
  strike: async (scene) => {
    const { stage, writers } = scene;
    const heard = writers.journal.length;
    const { pid } = stage.postgres;
    await stage.restartPostgres();
    expect(stage.postgres.pid).not.toBe(pid);
    await sleep(500);
    // Transactions were on their way.
    expect(writers.journal.slice(Math.max(0, heard - 4)).some(({ outcome }) => outcome !== 'ok')).toBe(true);
  },
};

const cutPostgres: Fault = {
  name: 'every connection to PostgreSQL cut, three times',
  strike: async ({ database }, random) => {
    let all = 0;
    for (let n = 0; n < 3; n += 1) {
      await sleep(random.between(100, 700));
      const cut = await database.admin(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid() and usename like 'holdfast%'`,
      );
      all += cut.length;
    }
    // Right behind one cut there may be few to cut again.
    expect(all).toBeGreaterThan(6);
  },
};

function clickHouse(mode: 'refuse' | 'hang' | 'cut-answers'): Fault {
  return {
    name: `ClickHouse: ${mode}`,
    strike: async (scene) => {
      const { clickHouseProxy: proxy } = scene.stage;
      const before = { ...proxy.counts };
      await proxy.set(mode);
      if (mode !== 'cut-answers') await sleep(OUTAGE_MS);
      // Until there was a batch to lose the answer to: a sender that was killed meanwhile has to come back first.
      else await until(() => proxy.counts.cut > before.cut, 'no answer was cut');
      await sleep(500);
      await proxy.set('pass');
      proxy.cut();
      if (mode === 'refuse') expect(scene.output).toMatch(/delivering to clickhouse/);
      if (mode === 'hang') expect(proxy.counts.hung).toBeGreaterThan(before.hung);
      if (mode === 'cut-answers') expect(proxy.counts.cut).toBeGreaterThan(before.cut);
    },
  };
}

const replay: Fault = {
  name: 'a replay from the beginning, twice',
  strike: async (scene, random) => {
    await replayEffects(scene);
    await sleep(random.between(200, 1_500));
    await replayEffects(scene);
    await until(() => hasCursor(scene.database, 1), 'no cursor went back');
  },
};

const duplicates: Fault = {
  name: 'every wake-up many times, two workers on one key',
  workers: () => ({
    paceMs: 30,
    faults: Array.from({ length: 40 }, (_, n) => `tenant-delivery.occupied=note@${n + 1}`).join(),
  }),
  strike: async (scene) => {
    await duplicateWakeUps(scene, 60);
    await until(
      () => scene.faults.some((fault) => fault.startsWith('note at tenant-delivery.occupied')),
      'no two workers met at a key',
    );
  },
};

/** Every fault, in the order of the seeds. Each kill has its step; the rest is there often enough to meet others. */
export const FAULTS: readonly Fault[] = [
  // Those of the sealer have a suite of their own.
  ...STEPS.filter((step) => !step.startsWith('sealer.')).map(killAt),
  killLeader,
  flushRedis,
  crashPostgres,
  clickHouse('refuse'),
  stopLeader,
  duplicates,
  replay,
  stopRedis,
  clickHouse('cut-answers'),
  killOther,
  stopAt('sequencer.ticked'),
  cutPostgres,
  clickHouse('hang'),
  killAll,
  stopAt('tenant-delivery.applied'),
  stopAt('store-delivery.stored'),
  stopAt('relay.enqueued'),
  sleepAt('sequencer.leased'),
  sleepAt('sequencer.ticked'),
  sleepAt('tenant-delivery.moved'),
  sleepAt('store-delivery.recorded'),
  sleepAt('store-delivery.stored'),
];

/** Faults that strike beside another one. */
export const SECOND_FAULTS: readonly Fault[] = [
  killLeader,
  flushRedis,
  crashPostgres,
  cutPostgres,
  clickHouse('cut-answers'),
];
