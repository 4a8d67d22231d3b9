import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { type Database, DatabaseUnavailable } from '@holdfast/database';
import { callerOf, Grants, TenantDatabase } from '@holdfast/tenancy';
import { TestCluster, TestDatabase } from '@holdfast/testing';
import { storeConsumer, tenantConsumer } from '../test/consumers';
import { declarationOf } from './consumer';
import { registerGroup } from './groups.sql';
import { bumpEpoch, findLineage, ForeignPositions } from './lineage.sql';
import { Sequencer } from './sequencer';
import { StoreDelivery } from './store-delivery';
import { TenantDelivery } from './tenant-delivery';
import { acquireLease, LineageUnverified, makeTick } from './ticks.sql';

const until = async (condition: () => boolean): Promise<void> => {
  for (let look = 0; look < 2_000 && !condition(); look += 1) await sleep(10);
  expect(condition()).toBe(true);
};

describe('A database that is not the one that it was', () => {
  let cluster: TestCluster;
  let relay: Database;
  let ops: Database;
  let tenants: TenantDatabase;
  let grants: Grants;
  let caller: Caller;
  let ticks = 0;
  const running: Sequencer[] = [];
  const stored: string[] = [];
  const applied: string[] = [];

  const sequencer = (continueOnFailover = false): Sequencer => {
    const made = new Sequencer({ relay, continueOnFailover, onTick: () => (ticks += 1), report: () => {} });
    running.push(made);
    made.start();
    return made;
  };
  const append = async (): Promise<string> => {
    const id = newId();
    const event = { id, type: 'probe.made', schemaVersion: 1, streamType: 'probe', streamId: id };
    await tenants.transaction(caller, (tx) => tx.announce({ ...event, streamVersion: 1n, payload: '{}' }));
    return id;
  };
  const deliver = async (): Promise<void> => {
    const report = (error: unknown): void => {
      throw error; // Nothing may fail here.
    };
    const take = (into: string[]) => (events: readonly { readonly id: string }[]) => {
      into.push(...events.map(({ id }) => id));
      return Promise.resolve();
    };
    await new StoreDelivery(storeConsumer(take(stored)), relay, report).deliver();
    const probe = tenantConsumer((_tx, events) => take(applied)(events));
    await new TenantDelivery(probe, tenants, grants, report).deliver(caller.tenantId);
  };

  beforeEach(async () => {
    cluster = await TestCluster.create();
    [relay, ops] = [cluster.as('holdfast_relay'), cluster.as('holdfast_ops', 1)];
    tenants = new TenantDatabase(cluster.as('holdfast_app'));
    grants = new Grants(cluster.as('holdfast_auth', 1));
    caller = callerOf(await grants.forSystem('test', newId()), { requestId: newId() });
    for (const consumer of [storeConsumer(), tenantConsumer()])
      await registerGroup(relay, declarationOf(consumer));
    for (const list of [stored, applied]) list.length = 0;
    ticks = 0;
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((each) => each.stop()));
    grants.close();
    await cluster.drop();
  });

  it('goes on by itself after a restart, once somebody has looked', async () => {
    const made = sequencer();
    const first = await append();
    await until(() => ticks === 1);
    await made.stop();
    await cluster.restart();
    const fence = (await acquireLease(relay, 'hasty', 60_000)) ?? 0n;
    const second = await append();
    // Nobody has looked at this server process: no tick, and nothing is delivered.
    await expect(makeTick(relay, { holder: 'hasty', fence, leaseMs: 60_000 })).rejects.toThrow(
      LineageUnverified,
    );
    await deliver();
    expect([stored, applied]).toEqual([[], []]);
    await cluster.admin(`update events.leases set expires_at = '-infinity'`);
    sequencer();
    await until(() => ticks === 2);
    await deliver();
    expect([stored, applied]).toEqual([
      [first, second],
      [first, second],
    ]);
    expect(await findLineage(ops)).toMatchObject({ epoch: 1, timeline: 1, stoppedAt: null });
  });

  it('stops when files are put back as they had been, and goes on in the next epoch', async () => {
    const made = sequencer();
    const kept = await append();
    await until(() => ticks === 1);
    await cluster.restart(() => cluster.copy());
    await until(() => made.isLeading);
    await append();
    await until(() => ticks === 2);
    await sleep(1_100); // The process looks each second how far the WAL goes.
    await cluster.restart(() => cluster.putBack());
    await until(() => made.halt !== undefined);
    expect(made.halt?.message).toMatch(/position: WAL ends at .* `holdfast events epoch bump/);
    const late = await append();
    await deliver();
    expect([stored, applied, made.isLeading]).toEqual([[], [], false]);
    await expect(bumpEpoch(ops, 'operator:ann', '')).rejects.toThrow('who bumps the epoch, and why?');
    expect(await bumpEpoch(ops, 'operator:ann', 'restored the copy')).toBe(2);
    await until(() => made.isLeading && ticks === 3);
    await deliver();
    expect([stored, applied]).toEqual([
      [kept, late],
      [kept, late],
    ]);
    expect(await findLineage(ops)).toMatchObject({ epoch: 2, adoptedBy: 'operator:ann', stoppedAt: null });
  });

  it('stops on another timeline, for every process and also for those that know nothing', async () => {
    const made = sequencer();
    await append();
    await until(() => ticks === 1);
    await cluster.restart(() => cluster.recover());
    await until(() => made.halt !== undefined);
    expect(made.halt?.message).toContain('timeline: timeline 2 instead of 1');
    await made.stop();
    const other = sequencer(true); // It would have gone on; another has decided.
    await until(() => other.halt !== undefined);
    await deliver();
    expect([stored, applied]).toEqual([[], []]);
    expect(await findLineage(ops)).toMatchObject({ stoppedReason: 'timeline' });
  });

  it('refuses writes as unavailable while it is a standby, and stops events once it is promoted', async () => {
    const made = sequencer();
    await append();
    await until(() => ticks === 1);
    await cluster.standBy();
    await expect(append()).rejects.toThrow(DatabaseUnavailable);
    expect(made.halt).toBeUndefined();
    await cluster.admin('select pg_promote()');
    await until(() => made.halt !== undefined);
    expect(made.halt?.message).toContain('timeline 2 instead of 1');
    await append();
  });

  it('goes on after a failover where all standbys are synchronous, and writes that down', async () => {
    sequencer(true);
    const first = await append();
    await until(() => ticks === 1);
    await cluster.restart(() => cluster.recover());
    const second = await append();
    await until(() => ticks === 2);
    await deliver();
    expect([stored, applied]).toEqual([
      [first, second],
      [first, second],
    ]);
    expect(await findLineage(ops)).toMatchObject({ epoch: 1, timeline: 2, adoptedBy: 'failover' });
  });
});

describe('A database with the positions of another cluster', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await TestDatabase.create();
  });
  afterEach(() => database.drop());

  const halted = async (): Promise<string | undefined> => {
    const relay = database.as('holdfast_relay');
    const made = new Sequencer({ relay, onTick: () => {}, report: () => {} });
    made.start();
    await until(() => made.halt !== undefined || made.isLeading);
    await made.stop();
    return made.halt?.message;
  };

  it('stops under another system identifier, as after pg_upgrade, until the epoch is bumped', async () => {
    expect(await halted()).toBeUndefined();
    await database.admin('update events.lineage set system_identifier = 1, server_started_at = now()');
    expect(await halted()).toMatch(/system: system identifier \d+ instead of 1/);
    await bumpEpoch(database.as('holdfast_ops'), 'operator:ann', 'pg_upgrade');
    expect(await halted()).toBeUndefined();
  });

  it.each([
    ['all ticks came in one transaction', `select g, '10:10:', 1, '0/0', 1 from generate_series(1, 3) g`],
    ['a tick is ahead of the server', `select 1, '900000000:900000000:', 1, '0/0', 1`],
  ])('is refused where %s, and no epoch makes that right', async (_what, rows) => {
    await database.admin(`insert into events.ticks (id, snapshot, event_count, wal_lsn, fence) ${rows}`);
    expect(await halted()).toContain('positions: the ticks are not of this cluster');
    await expect(bumpEpoch(database.as('holdfast_ops'), 'operator:ann', 'loaded a dump')).rejects.toThrow(
      ForeignPositions,
    );
  });
});
