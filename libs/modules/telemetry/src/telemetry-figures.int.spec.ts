import { type Caller, newId } from '@holdfast/kernel';
import { RollUps, TelemetryStore } from '@holdfast/clickhouse';
import { Random, TestClickHouse } from '@holdfast/testing';
import { TelemetryEvents, TelemetryEventsHandler, telemetryEventsInput } from './telemetry-events.query';
import { TelemetryFunnel, TelemetryFunnelHandler, telemetryFunnelInput } from './telemetry-funnel.query';
import { TelemetryIngest, TelemetryIngestHandler, telemetryIngestInput } from './telemetry-ingest.query';
import { TelemetrySeries, TelemetrySeriesHandler, telemetrySeriesInput } from './telemetry-series.query';
import { TelemetryTop, TelemetryTopHandler, telemetryTopInput } from './telemetry-top.query';
import { TelemetryUsers, TelemetryUsersHandler, telemetryUsersInput } from './telemetry-users.query';

function callerOf(tenantId: string): Caller {
  return { grant: '', tenantId, actor: 'key:test', scopes: ['*'], plan: 'standard', requestId: newId() };
}

/** A row as ingest writes it: `at` is a time of 20 November. */
function trackedOf(tenantId: string, name: string, user: string, at: string, more: object = {}): object {
  const instant = `2026-11-20 ${at}.000`;
  return {
    tenant_id: tenantId,
    message_id: newId(),
    kind: 'track',
    name,
    user_id: user,
    anonymous_id: '',
    group_id: '',
    at: instant,
    made_at: String(Date.parse(`2026-11-20T${at}Z`)),
    received_at: instant,
    key_id: newId(),
    keep_days: 395,
    properties: '{}',
    context: '{}',
    ...more,
  };
}

const DAY = { from: '2026-11-20T00:00:00Z', to: '2026-11-21T00:00:00Z' };

describe('Figures of tracked events', () => {
  let clickHouse: TestClickHouse;
  let store: TelemetryStore;

  beforeAll(async () => {
    clickHouse = await TestClickHouse.open('chdb');
    store = new TelemetryStore(clickHouse.endpoint);
  });
  afterAll(async () => {
    await store.close();
    await clickHouse.close();
  });

  const insert = (...rows: object[]) => store.insert('telemetry.tracked', rows, newId());
  const announce = (tenantId: string, type: string, actor: string, at: string) =>
    store.insert(
      'telemetry.events',
      [
        {
          tenant_id: tenantId,
          at: `2026-11-20 ${at}.000000`,
          id: newId(),
          type,
          schema_version: 1,
          stream_type: 'test.thing',
          stream_id: newId(),
          stream_version: '1',
          actor,
          request_id: 'request',
          data: '{"plan":"domain"}',
          seq: '1',
        },
      ],
      newId(),
    );
  const list = (caller: Caller, input: object = {}) =>
    new TelemetryEventsHandler(store).execute(new TelemetryEvents(caller, telemetryEventsInput.parse(input)));
  const timeline = (caller: Caller, userId: string, input: object = {}) =>
    list(caller, { ...input, user: userId });
  const series = (caller: Caller, input: object) =>
    new TelemetrySeriesHandler(store).execute(new TelemetrySeries(caller, telemetrySeriesInput.parse(input)));
  const top = async (caller: Caller, input: object) =>
    (
      await new TelemetryTopHandler(store).execute(
        new TelemetryTop(caller, telemetryTopInput.parse({ ...DAY, ...input })),
      )
    ).data;
  const users = (caller: Caller, input: object = {}) =>
    new TelemetryUsersHandler(store).execute(
      new TelemetryUsers(caller, telemetryUsersInput.parse({ ...DAY, ...input })),
    );
  const funnel = async (caller: Caller, input: object) =>
    (
      await new TelemetryFunnelHandler(store).execute(
        new TelemetryFunnel(caller, telemetryFunnelInput.parse({ ...DAY, ...input })),
      )
    ).data.map((step) => step.users);

  it('joins what a user did in Holdfast with what was tracked of them, by time and page by page', async () => {
    const caller = callerOf(newId());
    const { tenantId } = caller;
    await insert(
      trackedOf(tenantId, 'Opened', 'ann', '10:00:00', { properties: '{"n":"\\ud83d\\ude00"}' }),
      trackedOf(tenantId, 'Closed', '', '10:00:02', { anonymous_id: 'ann' }),
      trackedOf(tenantId, 'Opened', 'bob', '10:00:01'),
      trackedOf(newId(), 'Opened', 'ann', '10:00:01'),
    );
    await announce(tenantId, 'test.thing.happened', 'member:ann', '10:00:01');
    await announce(tenantId, 'test.thing.happened', 'member:bob', '10:00:01');
    const seen: string[] = [];
    for (let after: string | undefined, more = true; more;) {
      const page = await timeline(caller, 'ann', { limit: 1, ...(after && { after }) });
      seen.push(...page.data.map(({ type }) => type));
      after = page.nextCursor ?? undefined;
      more = after !== undefined;
    }
    expect(seen).toEqual(['Closed', 'test.thing.happened', 'Opened']);
    expect((await timeline(caller, 'ann', { kind: 'domain' })).data).toMatchObject([{ userId: 'ann' }]);
    const [opened] = (await list(caller, { type: 'Opened', user: 'ann' })).data;
    expect(opened).toMatchObject({ kind: 'track', stream: null, actor: 'ann', data: { n: '😀' } });
    expect((await list(caller)).data).toHaveLength(5);
  });

  it('counts an event that came three times once, in rows and beside domain events', async () => {
    const caller = callerOf(newId());
    const row = trackedOf(caller.tenantId, 'Opened', 'ann', '10:00:00', { properties: '{"plan":"free"}' });
    for (const second of [1, 2, 3])
      await insert({ ...row, received_at: `2026-1${second > 2 ? 2 : 1}-20 10:00:0${second}.000` });
    await announce(caller.tenantId, 'Opened', 'member:x', '11:30:00');
    expect((await series(caller, { event: 'Opened', ...DAY })).data).toEqual([
      { at: '2026-11-20T10:00:00Z', count: 1 },
      { at: '2026-11-20T11:00:00Z', count: 1 },
    ]);
    expect((await series(caller, { event: 'Opened', kind: 'track', interval: 'day', ...DAY })).data).toEqual([
      { at: '2026-11-20T00:00:00Z', count: 1 },
    ]);
    expect(await top(caller, { by: 'name' })).toEqual([{ value: 'Opened', count: 2 }]);
    expect(await top(caller, { by: 'properties.plan' })).toEqual([
      { value: 'domain', count: 1 },
      { value: 'free', count: 1 },
    ]);
    expect(await users(caller)).toEqual({ users: 1, data: [{ at: '2026-11-20T10:00:00Z', users: 1 }] });
  });

  it('finds values of columns and of properties two levels deep, most frequent first', async () => {
    const caller = callerOf(newId());
    const context = '{"library":{"name":"node"}}';
    await insert(
      trackedOf(caller.tenantId, 'A', 'ann', '10:00:00', { properties: '{"n":5}', context }),
      trackedOf(caller.tenantId, 'A', 'bob', '10:00:01', { properties: '{"n":5}', context, group_id: 'g' }),
      trackedOf(caller.tenantId, 'B', 'bob', '10:00:02', { properties: '{"n":true}', kind: 'page' }),
    );
    expect(await top(caller, { by: 'properties.n' })).toEqual([
      { value: '5', count: 2 },
      { value: 'true', count: 1 },
    ]);
    expect(await top(caller, { by: 'context.library.name' })).toEqual([{ value: 'node', count: 2 }]);
    expect(await top(caller, { by: 'user', event: 'A' })).toHaveLength(2);
    expect(await top(caller, { by: 'user', limit: '1' })).toEqual([{ value: 'bob', count: 2 }]);
    expect(await top(caller, { by: 'group' })).toEqual([{ value: 'g', count: 1 }]);
    expect(await top(caller, { by: 'kind' })).toEqual([
      { value: 'track', count: 2 },
      { value: 'page', count: 1 },
    ]);
    expect(await top(callerOf(newId()), { by: 'kind' })).toEqual([]);
  });

  it('follows users through steps in their order, within the window, members by their domain events', async () => {
    const caller = callerOf(newId());
    const { tenantId } = caller;
    await insert(
      ...['10:00:00', '10:00:10', '10:00:20'].map((at, step) =>
        trackedOf(tenantId, `step ${step}`, 'ann', at),
      ),
      trackedOf(tenantId, 'step 1', 'bob', '10:00:00'),
      trackedOf(tenantId, 'step 0', 'bob', '10:00:10'),
      trackedOf(tenantId, 'step 0', 'eve', '10:00:00'),
      trackedOf(tenantId, 'step 1', 'eve', '10:05:00'),
      trackedOf(tenantId, 'step 0', 'member-id', '10:00:00'),
    );
    await announce(tenantId, 'step 1', 'member:member-id', '10:00:05');
    const steps = 'step 0,step 1,step 2';
    expect(await funnel(caller, { steps, windowSeconds: '60' })).toEqual([4, 2, 1]);
    expect(await funnel(caller, { steps, windowSeconds: '600' })).toEqual([4, 3, 1]);
    expect(await funnel(caller, { steps: ['step 0', 'never'] })).toEqual([4, 0]);
  });

  it('takes no copy for another step, also where its clock was corrected differently', async () => {
    const caller = callerOf(newId());
    const first = { message_id: 'one', received_at: '2026-11-20 10:00:30.000' };
    await insert(trackedOf(caller.tenantId, 'step 1', 'bob', '10:00:00', first));
    await insert(trackedOf(caller.tenantId, 'step 0', 'bob', '10:00:10'));
    const copy = { message_id: 'one', received_at: '2026-11-20 10:01:00.000', at: '2026-11-20 10:00:20.000' };
    await insert(trackedOf(caller.tenantId, 'step 1', 'bob', '10:00:00', copy));
    expect(await funnel(caller, { steps: 'step 0,step 1' })).toEqual([1, 0]);
    // The other way round: the one that counts is corrected and came last, and it has been after the first step.
    await insert(trackedOf(caller.tenantId, 'step 0', 'eve', '10:00:10'));
    await insert(trackedOf(caller.tenantId, 'step 1', 'eve', '10:00:00', { message_id: 'two' }));
    const counted = {
      message_id: 'two',
      received_at: '2026-11-20 09:59:00.000',
      at: '2026-11-20 10:00:20.000',
    };
    await insert(trackedOf(caller.tenantId, 'step 1', 'eve', '10:00:00', counted));
    expect(await funnel(caller, { steps: 'step 0,step 1' })).toEqual([2, 1]);
    const more = 'step 0,step 1,step 2,step 3';
    expect(await funnel(caller, { steps: more })).toEqual([2, 1, 0, 0]);
    // What lies outside of the range is not a step in it, whichever of the copies lies inside.
    const until = { to: '2026-11-20T10:00:15Z' };
    expect(await funnel(caller, { steps: 'step 1', ...until })).toEqual([1]);
  });

  it('shows what became of what was sent, and samples of what was refused', async () => {
    const caller = callerOf(newId());
    const keyId = newId();
    const minute = {
      tenant_id: caller.tenantId,
      at: '2026-11-20 10:00:00.000',
      process_id: newId(),
      lane: '',
      outcome: 'received',
      reason: '',
      events: 5,
    };
    await store.insert(
      'telemetry.ingest_minutes',
      [
        minute,
        { ...minute, at: '2026-11-20 10:01:00.000', events: 2 },
        { ...minute, outcome: 'dropped', reason: 'invalid', events: 1 },
        { ...minute, tenant_id: newId() },
      ],
      newId(),
    );
    // The same deltas once more, without the token: the same row.
    await store.insert('telemetry.ingest_minutes', [minute], newId());
    const bad = { tenant_id: caller.tenantId, at: minute.at, id: newId(), key_id: keyId, reason: 'invalid' };
    await store.insert('telemetry.bad_rows', [{ ...bad, sample: '{"a":' }], newId());
    const answer = await new TelemetryIngestHandler(store).execute(
      new TelemetryIngest(caller, telemetryIngestInput.parse(DAY)),
    );
    expect(answer).toEqual({
      data: [
        { lane: '', outcome: 'dropped', reason: 'invalid', count: 1 },
        { lane: '', outcome: 'received', reason: '', count: 7 },
      ],
      badRows: [{ id: bad.id, at: '2026-11-20T10:00:00.000Z', keyId, reason: 'invalid', sample: '{"a":' }],
    });
  });

  it('takes whole hours from roll-ups and the rest of a range from rows', async () => {
    const caller = callerOf(newId());
    const { tenantId } = caller;
    await insert(
      trackedOf(tenantId, 'Opened', 'ann', '09:30:00'),
      trackedOf(tenantId, 'Opened', 'ann', '10:30:00'),
      trackedOf(tenantId, 'Opened', 'bob', '11:30:00'),
    );
    // Says something else than the rows, so that it shows which of both is read.
    await store.read(
      tenantId,
      {
        text: `insert into telemetry.hourly select {tenant_id:UUID}, toDateTime('2026-11-20 10:00:00', 'UTC'), 'Opened', 'track', 100, 395, now64(6)`,
      },
      {},
    );
    await store.read(
      tenantId,
      {
        text: `insert into telemetry.user_sets select {tenant_id:UUID}, 'hour', 1, '', '', toDateTime('2026-11-20 10:00:00', 'UTC'),
          uniqExactState(sipHash64(arrayJoin(['ann', 'eve']))), 395, now64(6)`,
      },
      {},
    );
    await store.insert(
      'telemetry.roll_ups',
      [{ started_at: '2026-11-20 11:10:00.000000', hours: 1 }],
      newId(),
    );
    const range = { from: '2026-11-20T09:15:00Z', to: '2026-11-20T12:00:00Z' };
    expect((await series(caller, { event: 'Opened', ...range })).data.map(({ count }) => count)).toEqual([
      1, 100, 1,
    ]);
    expect((await series(caller, { event: 'Opened', interval: 'minute', ...range })).data).toHaveLength(3);
    expect(await top(caller, range)).toEqual([{ value: 'Opened', count: 102 }]);
    const counted = await users(caller, range);
    expect([counted.users, counted.data.map((point) => point.users)]).toEqual([3, [1, 2, 1]]);
  });

  // Everything that roll-ups answer is asked of the rows first: copies, days, hours, edges and paths with too many values included.
  it('answers the same from roll-ups as from rows', async () => {
    const caller = callerOf(newId());
    const seed = Date.now();
    const random = new Random(seed);
    const two = (n: number): string => String(n).padStart(2, '0');
    const rows = Array.from({ length: 1_900 }, (_, n) => {
      // The first are in one hour and have a session each: more than are counted of a path.
      const [day, hour] = n < 1_150 ? [20, 10] : [random.between(19, 21), random.between(0, 23)];
      const at = `2026-11-${day}T${two(hour)}:${two(random.between(0, 59))}:${two(random.between(0, 59))}Z`;
      return trackedOf(
        caller.tenantId,
        `Event ${random.between(1, 3)}`,
        `user-${random.between(0, 99)}`,
        '00:00:00',
        {
          kind: random.between(0, 1) === 0 ? 'track' : 'page',
          group_id: `g${random.between(0, 3)}`,
          at: at.replace('T', ' ').replace('Z', '.000'),
          made_at: String(Date.parse(at)),
          received_at: at.replace('T', ' ').replace('Z', '.000'),
          properties: `{"plan":"p${random.between(0, 4)}","session":"${n}","deep":{"er":${random.between(0, 9)}},"plan":"second"}`,
          context: '{"library":{"name":"node"},"empty":""}',
        },
      );
    });
    await insert(...rows);
    await insert(...rows.slice(0, 700).map((row) => ({ ...row, received_at: '2026-11-25 10:00:00.000' })));
    // Copies whose clock was corrected differently, some of which came before the event itself: in the same hour, another one, and another day.
    await insert(
      ...rows.slice(1_150, 1_700).map((row, n) => ({
        ...row,
        at: `2026-11-${n % 7 === 0 ? 19 : 20} ${two(9 + (n % 3))}:${two(n % 60)}:00.000`,
        received_at: `2026-11-${n % 2 === 0 ? '01' : '26'} 10:00:00.000`,
      })),
    );
    const ranges = [
      { from: '2026-11-20T10:20:30.5Z', to: '2026-11-21T15:45:00.25Z' },
      { from: '2026-11-20T10:10:00Z', to: '2026-11-20T10:40:00Z' },
    ];
    const paths = [
      'user',
      'group',
      'name',
      'properties.plan',
      'properties.session',
      'properties.deep.er',
      'context.library.name',
    ];
    const filters = [{}, { event: 'Event 2', kind: 'track' }];
    const ask = async (): Promise<unknown[]> => {
      const answers: unknown[] = [];
      for (const range of ranges)
        for (const filter of filters) {
          for (const by of paths)
            answers.push([by, filter, range, await top(caller, { by, limit: '100', ...range, ...filter })]);
          for (const interval of ['hour', 'day'])
            answers.push([interval, filter, range, await users(caller, { interval, ...range, ...filter })]);
          if ('event' in filter) answers.push(await series(caller, { ...range, event: filter.event }));
        }
      for (const range of ranges.slice(0, 1))
        for (const filter of [{ event: 'Event 1' }, { kind: 'page' }])
          for (const interval of ['hour', 'day'])
            answers.push([interval, filter, range, await users(caller, { interval, ...range, ...filter })]);
      return answers;
    };
    const fromRows = await ask();
    await new RollUps(clickHouse.endpoint, { onError: () => {} }).run();
    const fromRollUps = await ask();
    expect([seed, fromRollUps]).toEqual([seed, fromRows]);
    const [counted] = await store.read<{ rows: string }>(
      caller.tenantId,
      {
        text: `select count() as rows from telemetry.tenant_value_counts(tenant_id = {tenant_id:UUID}) where is_partial = 1 and span = 'hour' and path like 'properties.%'`,
      },
      {},
    );
    // One path of one hour, and none of the others.
    expect(counted).toEqual({ rows: '1' });
  }, 120_000);

  it('shows an event in its place once, when a copy of it says another time', async () => {
    const caller = callerOf(newId());
    const event = trackedOf(caller.tenantId, 'Opened', 'ann', '10:00:00');
    const others = ['10:00:01', '10:00:03', '10:00:05'].map((at) =>
      trackedOf(caller.tenantId, 'Opened', 'bob', at),
    );
    await insert(event, ...others);
    for (const second of [2, 4])
      await insert({
        ...event,
        at: `2026-11-20 10:00:0${second}.000`,
        received_at: `2026-11-20 10:00:0${second}.500`,
      });
    const seen: string[] = [];
    for (let after: string | undefined, more = true; more;) {
      const page = await list(caller, { limit: 1, ...(after && { after }) });
      seen.push(...page.data.map(({ at }) => at.slice(17, 19)));
      after = page.nextCursor ?? undefined;
      more = after !== undefined;
    }
    expect(seen).toEqual(['05', '03', '01', '00']);
  });
});
