import { setTimeout as sleep } from 'node:timers/promises';
import { Database, OutcomeUnknown } from '@holdfast/database';
import { newId } from '@holdfast/kernel';
import { callerOf, Grants, TenantDatabase } from '@holdfast/tenancy';
import { HaltingTenants, TcpProxy } from '@holdfast/testing';
import { z } from 'zod';
import { effect } from '../test/effects';
import { SagaStage } from '../test/saga-stage';
import { LASTING_ATTEMPTS_MAX, saga } from './saga';
import type { SagaRunner } from './saga-runner';

const nothing = z.object({});

/** Its steps are there to end the process. */
const deadly = saga({ name: 'test.deadly', input: nothing })
  .compensatable('hold', {
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .retriable('post', { run: (tx, { key }) => effect(tx, key, 'made') })
  .build();

const once = saga({ name: 'test.once', input: nothing })
  .pivot('tell', { attemptsMax: 1, run: (tx, { key }) => effect(tx, key, 'made') })
  .build();

let meanwhile: () => Promise<void> = () => Promise.resolve();
const flaky = saga({ name: 'test.flaky', input: nothing })
  .compensatable('hold', {
    run: async () => {
      await meanwhile();
      throw new TypeError('fails');
    },
    compensate: () => Promise.resolve(),
  })
  .build();

let cut: () => Promise<void> = () => Promise.resolve();
const cutOff = saga({ name: 'test.cut_off', input: nothing })
  .compensatable('hold', {
    run: async (tx, { key }) => {
      await cut();
      await effect(tx, key, 'made');
    },
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .build();

const abroad = saga({ name: 'test.closed_abroad', input: z.object({ other: z.string() }) })
  .compensatable('hold', {
    tenant: ({ other }) => other,
    run: (tx, { key }) => effect(tx, key, 'made'),
    compensate: (tx, { key }) => effect(tx, key, 'undone'),
  })
  .waitUntil('long', () => new Date(Date.now() + 86_400_000))
  .build();

describe('A saga whose step fails', () => {
  let stage: SagaStage;
  beforeAll(async () => void (stage = await SagaStage.open()));
  afterAll(() => stage.close());

  /** A process takes the saga up, behind the lease of one that has died, and dies as well. */
  async function die(id: string): Promise<void> {
    await stage.endLease(id);
    await stage.runner(undefined, new HaltingTenants(stage.database.tenants(1), 1)).runDue();
  }

  const attempts = (id: string, count: number): Promise<unknown> =>
    stage.database.admin('update sagas.sagas set attempts = $2 where id = $1', [id, count]);

  describe('since the database is away', () => {
    let wire: TcpProxy;
    let database: Database;
    let runner: SagaRunner;
    beforeAll(async () => {
      const url = new URL(stage.database.url('holdfast_app'));
      wire = await TcpProxy.start(Number(url.port));
      url.port = String(wire.port);
      database = new Database({ url: url.href, name: 'cut off', connectionsMax: 2 });
      runner = stage.runner(undefined, new TenantDatabase(database));
    });
    afterAll(async () => {
      await database.close();
      await wire.close();
    });

    /** It has not gone on by itself, and nobody's lease is in its way. */
    async function expectFree(id: string): Promise<void> {
      await wire.set('pass');
      await runner.whenIdle(id);
      expect(await stage.find(id)).toMatchObject({ state: 'running', place: 0 });
      expect(await runner.runDue()).toBe(1);
      expect(await stage.find(id)).toMatchObject({ state: 'completed' });
    }

    it('goes on when that is back, and not when the lease has run out', async () => {
      cut = () => wire.set('refuse');
      const id = await stage.begin(runner, newId(), cutOff, {});
      // What had become of it could not be written either.
      while (!stage.reports.some((report) => report.startsWith(`moving saga ${id}`))) await sleep(10);
      cut = () => Promise.resolve();
      await expectFree(id);
    });

    it('goes on as well where nobody knew whether it had begun', async () => {
      const caller = callerOf(await stage.grants.forSystem('test', newId()), { requestId: newId() });
      const id = newId();
      await database.ping();
      await wire.set({ cutAt: 'COMMIT' });
      const begun = new TenantDatabase(database).transaction(caller, (tx) =>
        runner.begin(tx, cutOff, {}, id),
      );
      await expect(begun).rejects.toBeInstanceOf(OutcomeUnknown);
      await expectFree(id);
    });
  });

  it('by ending its process each time is given up, where it can be', async () => {
    const id = await stage.begin(stage.runner(0), newId(), deadly, {});
    // The first finds no lease that has ended.
    for (let deaths = 0; deaths < 11; deaths += 1) await die(id);
    await stage.endLease(id);
    await stage.runner().runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'compensated', reason: 'sagas.process_lost' });
  });

  it('by ending its process each time is left to an operator, where it has to be done, and goes on then', async () => {
    const [tenantId, runner] = [newId(), stage.runner()];
    const id = await stage.begin(stage.runner(0), tenantId, deadly, {});
    await stage.runner(undefined, new HaltingTenants(stage.database.tenants(1), 2)).runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'running', place: 1 });
    await attempts(id, LASTING_ATTEMPTS_MAX - 2);
    await die(id);
    expect(await stage.find(id)).toMatchObject({ state: 'running', place: 1 });
    await stage.endLease(id);
    await runner.runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'needs_operator', reason: 'sagas.process_lost' });
    await stage.steer(tenantId, id, 'retry');
    await runner.runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'completed' });
  });

  it('is not given up for one process that was lost, though it may fail but once', async () => {
    const id = await stage.begin(stage.runner(0), newId(), once, {});
    for (let deaths = 0; deaths < 3; deaths += 1) await die(id);
    await stage.endLease(id);
    await stage.runner().runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'completed' });
  });

  it('has an attempt counted for no process that has handed it back', async () => {
    const id = await stage.begin(stage.runner(), newId(), abroad, { other: newId() });
    await stage.until(id, 'running');
    const runner = stage.runner();
    while ((await stage.find(id)).place !== 1) await new Promise(setImmediate);
    await runner.whenIdle(id);
    for (let looks = 0; looks < 3; looks += 1) await stage.hurry(runner, id);
    const [row] = await stage.database.admin<{ attempts: number }>(
      'select attempts from sagas.sagas where id = $1',
      [id],
    );
    expect(row).toEqual({ attempts: 0 });
  });

  it('is given up at once when it is cancelled meanwhile', async () => {
    const [runner, tenantId] = [stage.runner(), newId()];
    const entered = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    meanwhile = () => {
      entered.resolve();
      return go.promise;
    };
    const id = await stage.begin(runner, tenantId, flaky, {});
    await entered.promise;
    await stage.steer(tenantId, id, 'cancel');
    go.resolve();
    await runner.whenIdle(id);
    expect(await stage.find(id)).toMatchObject({ state: 'compensated', reason: 'sagas.cancelled' });
  });

  it.each([
    ['is not taken for gone while it is being erased, since that may be put off', 'closing', ['undone']],
    ['is gone with it once it is erased', 'erased', []],
  ])('elsewhere %s', async (_, after, undone) => {
    const [tenantId, other, beginner] = [newId(), newId(), stage.runner()];
    await stage.database.admin('insert into auth.tenants (id, slug) values ($1, $2)', [other, other]);
    const id = await stage.begin(beginner, tenantId, abroad, { other });
    await beginner.whenIdle(id);
    const become = (state: string): Promise<unknown> =>
      stage.database.admin('update auth.tenants set state = $2 where id = $1', [other, state]);
    await become('erasing');
    await stage.steer(tenantId, id, 'cancel');
    // Of a process whose grants are not from before.
    const grants = new Grants(stage.database.as('holdfast_auth', 1));
    const runner = stage.runner(undefined, undefined, grants);
    await runner.runDue();
    expect(await stage.find(id)).toMatchObject({ state: 'compensating', place: 0 });
    await become(after);
    while ((await stage.find(id)).state === 'compensating') await stage.hurry(runner, id);
    grants.close();
    expect(await stage.find(id)).toMatchObject({ state: 'compensated' });
    const effects = await stage.trail(other);
    expect(effects.filter((type) => type === 'test.effect.undone')).toEqual(
      undone.map((what) => `test.effect.${what}`),
    );
  });
});
