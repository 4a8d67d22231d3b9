import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TelemetryRow } from '@holdfast/ingest';
import { newId } from '@holdfast/kernel';
import { Random, TcpProxy, TestClickHouse } from '@holdfast/testing';
import { LimitedStore } from '../test/limited-store';
import { ClickHouseSink } from './clickhouse-sink';
import { RollUps } from './roll-ups';
import { TelemetryStore } from './telemetry-store';

const HOUR_MS = 3_600_000;
/** The beginning of the current hour: what is before it can be rolled up. */
const NOW_MS = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;

interface Tracked {
  readonly id: string;
  readonly user: string;
  readonly name: string;
  readonly atMs: number;
  readonly madeMs: number;
  readonly receivedMs: number;
}

const event = (id: string, atMs: number, change: Partial<Tracked> = {}): Tracked => ({
  id,
  user: 'ann',
  name: 'opened',
  atMs,
  madeMs: atMs,
  receivedMs: atMs + 50,
  ...change,
});

function rowOf(tenantId: string, { id, user, name, atMs, madeMs, receivedMs }: Tracked): TelemetryRow {
  const line = JSON.stringify({
    tenant_id: tenantId,
    message_id: id,
    kind: 'track',
    name,
    user_id: user,
    at: new Date(atMs).toISOString(),
    made_at: madeMs,
    received_at: new Date(receivedMs).toISOString(),
    key_id: tenantId,
    keep_days: 395,
    properties: {},
    context: {},
  });
  return { tenantId, priority: 'normal', line };
}

const hours = {
  text: `select toUnixTimestamp(hour) as hour, name, toUInt32(sum(events)) as events, toUInt32(uniqExactMerge(users)) as users
    from (select hour, name, kind, events from telemetry.tenant_hours(tenant_id = {tenant_id:UUID})) as h
    left join (
      select begins as hour, name, kind, users from telemetry.tenant_user_sets(tenant_id = {tenant_id:UUID}) where span = 'hour' and is_total = 0
    ) as u using (hour, name, kind)
    group by hour, name order by hour, name`,
};

// Guards promise 7: unique counts are exact in the roll-ups, whatever comes twice, late, or in another order.
describe('Roll-ups', () => {
  let clickHouse: TestClickHouse;
  let url = '';
  let store: TelemetryStore;
  let sink: ClickHouseSink;
  let rollUps: RollUps;
  const open = (at = url): RollUps => new RollUps({ url: at }, { onError: () => {} });

  beforeAll(async () => {
    clickHouse = await TestClickHouse.open('front');
    url = 'url' in clickHouse.endpoint ? clickHouse.endpoint.url : '';
    [store, sink, rollUps] = [new TelemetryStore({ url }), new ClickHouseSink({ url }), open()];
  });
  afterAll(async () => {
    await Promise.all([store.close(), sink.close(), rollUps.stop()]);
    await clickHouse.close();
  });

  const send = (tenantId: string, events: readonly Tracked[]): Promise<void> =>
    sink.store({ table: 'tracked', token: newId(), rows: events.map((each) => rowOf(tenantId, each)) });

  /** As `hour name events users`, hours counted back from the current one. */
  async function rolledUp(tenantId: string): Promise<string[]> {
    type Row = { hour: number; name: string; events: number; users: number };
    const rows = await store.read<Row>(tenantId, hours, {});
    return rows.map(
      ({ hour, name, events, users }) => `${(hour * 1_000 - NOW_MS) / HOUR_MS} ${name} ${events} ${users}`,
    );
  }

  it('count every event and user once, when each event came three times in other batches', async () => {
    const tenantId = newId();
    const seed = Date.now();
    const random = new Random(seed);
    const events = Array.from({ length: 2_000 }, (_, n) =>
      event(`m-${n}`, NOW_MS - 1 - random.between(0, 30 * HOUR_MS), {
        user: `user-${random.between(0, 399)}`,
        name: `event ${random.between(0, 2)}`,
      }),
    );
    for (const size of [2_000, 700, 130])
      for (let from = 0; from < events.length; from += size) {
        await send(tenantId, events.slice(from, from + size));
        if (from === size) await rollUps.run();
      }
    await rollUps.run();
    const groups = Map.groupBy(
      events,
      ({ atMs, name }) => `${Math.floor((atMs - NOW_MS) / HOUR_MS)} ${name}`,
    );
    const expected = [...groups].map(
      ([key, of]) => `${key} ${of.length} ${new Set(of.map(({ user }) => user)).size}`,
    );
    const found = await rolledUp(tenantId);
    expect([seed, ...found.toSorted()]).toEqual([seed, ...expected.toSorted()]);
  });

  it('leave the current hour to the rows, and say up to when they go', async () => {
    const tenantId = newId();
    await send(tenantId, [event('a', NOW_MS - 1), event('b', NOW_MS + 1)]);
    await rollUps.run();
    const text = `select toUnixTimestamp(until) as until from telemetry.tenant_rolled_up(tenant_id = {tenant_id:UUID})`;
    const [row] = await store.read<{ until: number }>(tenantId, { text }, {});
    const passed = ((row?.until ?? 0) * 1_000 - NOW_MS) / HOUR_MS;
    // The hour may have passed since this file began.
    expect([0, 1]).toContain(passed);
    expect(await rolledUp(tenantId)).toEqual(['-1 opened 1 1', '0 opened 1 1'].slice(0, passed + 1));
  });

  it('take up events that come late, also of hours that were done long ago', async () => {
    const tenantId = newId();
    await send(tenantId, [event('a', NOW_MS - 900 * HOUR_MS), event('b', NOW_MS - 1)]);
    await rollUps.run();
    await send(tenantId, [
      event('c', NOW_MS - 900 * HOUR_MS, { user: 'bob' }),
      event('d', NOW_MS - 5 * HOUR_MS),
    ]);
    await rollUps.run();
    expect(await rolledUp(tenantId)).toEqual(['-900 opened 2 2', '-5 opened 1 1', '-1 opened 1 1']);
  });

  it('move an event whose first copy is stored last, in whichever of the two the clock was corrected', async () => {
    const tenantId = newId();
    const [one, other] = [NOW_MS - 9 * HOUR_MS, NOW_MS - 7 * HOUR_MS];
    const received = { receivedMs: NOW_MS - HOUR_MS };
    // Corrected in the later copy, in the earlier one, and of unknown time.
    await send(tenantId, [event('a', other, { madeMs: one, ...received, name: 'a' })]);
    await send(tenantId, [event('b', one, { ...received, name: 'b' })]);
    await send(tenantId, [event('c', other, { madeMs: 0, ...received, name: 'c' })]);
    await rollUps.run();
    expect(await rolledUp(tenantId)).toEqual(['-9 b 1 1', '-7 a 1 1', '-7 c 1 1']);
    const earlier = { receivedMs: NOW_MS - 2 * HOUR_MS };
    await send(tenantId, [
      event('a', one, { ...earlier, name: 'a' }),
      event('b', other, { madeMs: one, ...earlier, name: 'b' }),
      event('c', one, { madeMs: 0, ...earlier, name: 'c' }),
    ]);
    await rollUps.run();
    expect(await rolledUp(tenantId)).toEqual(['-9 a 1 1', '-9 c 1 1', '-7 b 1 1']);
  });

  it('have nothing of users who were erased, and all of the others', async () => {
    const [tenantId, neighbour] = [newId(), newId()];
    const at = NOW_MS - 4 * HOUR_MS;
    const both = [event('a', at), event('b', at, { user: 'bob' }), event('c', at, { name: 'closed' })];
    for (const each of [tenantId, neighbour]) await send(each, both);
    await rollUps.run();
    expect(await rolledUp(tenantId)).toEqual(['-4 closed 1 1', '-4 opened 2 2']);
    // Versions that a merge has not reached included: what is on the disk has nothing of them either.
    const named = {
      text: `select count() as rows from telemetry.value_counts where tenant_id = {tenant_id:UUID} and has(members, 'ann')`,
    };
    expect(await store.read(tenantId, named, {})).not.toEqual([{ rows: '0' }]);
    const sample = {
      at: '2026-11-20 10:00:00.000',
      id: newId(),
      key_id: newId(),
      reason: 'invalid',
      sample: 'ann@example.com',
    };
    for (const each of [tenantId, neighbour])
      await store.insert('telemetry.bad_rows', [{ ...sample, tenant_id: each }], newId());
    await store.eraseUsers(tenantId, ['ann', 'nobody']);
    const samples = { text: 'select sample from telemetry.tenant_bad_rows(tenant_id = {tenant_id:UUID})' };
    expect(await store.read(tenantId, samples, {})).toEqual([]);
    expect(await store.read(neighbour, samples, {})).toEqual([{ sample: 'ann@example.com' }]);
    expect(await store.read(tenantId, named, {})).toEqual([{ rows: '0' }]);
    await rollUps.run();
    expect(await store.read(tenantId, named, {})).toEqual([{ rows: '0' }]);
    const users = {
      text: `select members, counts from telemetry.tenant_value_counts(tenant_id = {tenant_id:UUID}) where path = 'user' and span = 'hour'`,
    };
    expect(await store.read(tenantId, users, {})).toEqual([{ members: ['bob'], counts: [1] }]);
    expect(await rolledUp(tenantId)).toEqual(['-4 opened 1 1']);
    expect(await rolledUp(neighbour)).toEqual(['-4 closed 1 1', '-4 opened 2 2']);
    const text = 'select user_id from telemetry.tenant_tracked(tenant_id = {tenant_id:UUID})';
    expect(await store.read(tenantId, { text }, {})).toEqual([{ user_id: 'bob' }]);
  });

  it('count copies of two months once', async () => {
    const tenantId = newId();
    const at = NOW_MS - 3 * HOUR_MS;
    await send(tenantId, [event('a', at)]);
    await send(tenantId, [event('a', at, { receivedMs: at - 40 * 24 * HOUR_MS })]);
    await rollUps.run();
    expect(await rolledUp(tenantId)).toEqual(['-3 opened 1 1']);
  });

  it('may be made by several at once, while events come in', async () => {
    const tenantId = newId();
    const others = [open(), open()];
    const events = Array.from({ length: 40 }, (_, n) => event(`m-${n}`, NOW_MS - 1 - n, { user: `u-${n}` }));
    for (let from = 0; from < 40; from += 20)
      await Promise.all([
        send(tenantId, events.slice(from, from + 20)),
        ...[rollUps, ...others].map((each) => each.run()),
      ]);
    await rollUps.run();
    expect(await rolledUp(tenantId)).toEqual(['-1 opened 40 40']);
    await Promise.all(others.map((each) => each.stop()));
  }, 90_000);

  it('are made good by the next run when one is cut off in the middle', async () => {
    const tenantId = newId();
    const port = Number(new URL(url).port);
    const proxy = await TcpProxy.start(port);
    const cut = open(url.replace(String(port), String(proxy.port)));
    let failed = 0;
    for (let turn = 0; turn < 40 && failed < 5; turn += 1) {
      // In two days, so that one run is two statements and more.
      const ages = [30, 60].map((hour) => NOW_MS - hour * HOUR_MS);
      await send(
        tenantId,
        ages.map((atMs, place) => event(`m-${turn}-${place}`, atMs)),
      );
      const run = cut.run().then(
        () => 0,
        () => 1,
      );
      await sleep(10 + turn * 5);
      proxy.cut();
      failed += await run;
    }
    await rollUps.run();
    const sent = (await rolledUp(tenantId)).map((line) => line.split(' '));
    expect(failed).toBeGreaterThan(0);
    expect(sent.map(([hour, name]) => `${hour} ${name}`)).toEqual(['-60 opened', '-30 opened']);
    const rows = await store.read<{ events: number }>(
      tenantId,
      {
        text: `select toUInt32(count()) as events from telemetry.tenant_tracked(tenant_id = {tenant_id:UUID})
          group by toStartOfHour(at) order by toStartOfHour(at)`,
      },
      {},
    );
    expect(sent.map(([, , events]) => Number(events))).toEqual(rows.map(({ events }) => events));
    await cut.stop();
    await proxy.close();
  }, 60_000);

  it('halve what takes too long, by hours and then by tenants, until it does not', async () => {
    const tenants = Array.from({ length: 3 }, newId);
    const hoursBack = [1, 5, 9];
    for (const tenantId of tenants)
      await send(
        tenantId,
        hoursBack.map((hour) => event(`m-${hour}`, NOW_MS - hour * HOUR_MS)),
      );
    const heavy = NOW_MS / 1_000 - 3_600;
    const refused: string[] = [];
    const limited = await LimitedStore.start(url, (parameters) => {
      const [from = 0, to = 0, parts = 0] = ['from', 'to', 'parts'].map((name) =>
        Number(parameters.get(`param_${name}`)),
      );
      // The last hour is more than a statement can do of all tenants.
      const isTooMuch = from <= heavy && heavy < to && (to - from) / parts > 900;
      if (isTooMuch) refused.push(`${(to - from) / 3_600} ${parts}`);
      return isTooMuch;
    });
    const careful = open(limited.url);
    await careful.run();
    for (const tenantId of tenants)
      expect(await rolledUp(tenantId)).toEqual(hoursBack.toReversed().map((hour) => `-${hour} opened 1 1`));
    // The fault has landed: days, hours and halves of the tenants were too much.
    expect(refused).toEqual(expect.arrayContaining(['1 1', '1 2']));
    expect(refused.some((text) => Number(text.split(' ')[0]) > 1)).toBe(true);
    await careful.stop();
    await limited.close();
  }, 120_000);

  it('end with the process also where the store does not say what schema it has', async () => {
    const asked = Promise.withResolvers<void>();
    const silent = createServer(() => asked.resolve()).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const waiting = open(`http://127.0.0.1:${port}`);
    const run = waiting.run().catch((error: unknown) => error);
    await asked.promise;
    await waiting.stop();
    expect(await run).toMatchObject({ cause: { name: 'AbortError' } });
    silent.closeAllConnections();
    silent.close();
  });
});
