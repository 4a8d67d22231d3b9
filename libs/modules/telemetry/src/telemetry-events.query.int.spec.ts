import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { TelemetryStore } from '@holdfast/clickhouse';
import { CursorInvalid } from '@holdfast/cqrs';
import type { RecordedEvent } from '@holdfast/events';
import { TestClickHouse } from '@holdfast/testing';
import { ClickHouseConsumer } from './clickhouse-consumer';
import { TelemetryEvents, TelemetryEventsHandler, telemetryEventsInput } from './telemetry-events.query';
import { TelemetrySeries, TelemetrySeriesHandler, telemetrySeriesInput } from './telemetry-series.query';

function callerOf(tenantId: string): Caller {
  return { grant: '', tenantId, actor: 'key:test', scopes: ['*'], plan: 'standard', requestId: newId() };
}

function eventOf(tenantId: string, occurredAt: string, type = 'test.thing.happened'): RecordedEvent {
  return {
    seq: 9_007_199_254_740_993n,
    id: newId(),
    tenantId,
    streamType: 'test.thing',
    streamId: newId(),
    streamVersion: 9_007_199_254_740_993n,
    type,
    schemaVersion: 1,
    actor: 'key:test',
    act: null,
    correlationId: 'request',
    causationId: null,
    traceparent: null,
    occurredAt,
    data: { amount: '9007199254740993', note: 'x' },
  };
}

describe.each(TestClickHouse.kinds())('Telemetry over %s', (kind) => {
  let clickHouse: TestClickHouse;
  let store: TelemetryStore;

  beforeAll(async () => {
    clickHouse = await TestClickHouse.open(kind);
    store = new TelemetryStore(clickHouse.endpoint);
  });
  afterAll(async () => {
    await store.close();
    await clickHouse.close();
  });

  const list = (caller: Caller, input: Record<string, unknown> = {}) =>
    new TelemetryEventsHandler(store).execute(new TelemetryEvents(caller, telemetryEventsInput.parse(input)));
  const series = (caller: Caller, input: Record<string, unknown>) =>
    new TelemetrySeriesHandler(store).execute(new TelemetrySeries(caller, telemetrySeriesInput.parse(input)));
  const deliver = (...events: RecordedEvent[]) => new ClickHouseConsumer(store).deliver(events, newId());

  it('shows a delivered event as it was announced', async () => {
    const caller = callerOf(newId());
    const event = eventOf(caller.tenantId, '2026-11-20T10:00:00.123456Z');
    await deliver(event);
    expect((await list(caller)).data).toEqual([
      {
        id: event.id,
        kind: 'domain',
        type: 'test.thing.happened',
        at: '2026-11-20T10:00:00.123456Z',
        stream: { type: 'test.thing', id: event.streamId, version: '9007199254740993' },
        userId: null,
        anonymousId: null,
        groupId: null,
        actor: 'key:test',
        act: null,
        requestId: 'request',
        traceparent: null,
        data: event.data,
        context: null,
      },
    ]);
  });

  it('goes newest first, page by page, also through events of one instant and copies of them', async () => {
    const caller = callerOf(newId());
    const instants = [
      '2026-10-31T23:59:59.999Z',
      ...Array<string>(5).fill('2026-11-01T00:00:00.000Z'),
      '2026-11-01T00:00:00.001Z',
    ];
    const events = instants.map((at) => eventOf(caller.tenantId, at));
    await deliver(...events);
    await deliver(...events.slice(2, 5));
    await deliver(eventOf(newId(), '2026-11-01T00:00:00.000Z'));
    const seen: string[] = [];
    for (let after: string | undefined, more = true; more;) {
      const page = await list(caller, { limit: 2, ...(after && { after }) });
      seen.push(...page.data.map(({ id }) => id));
      after = page.nextCursor ?? undefined;
      more = after !== undefined;
    }
    expect(seen).toHaveLength(7);
    expect(new Set(seen)).toEqual(new Set(events.map(({ id }) => id)));
    expect([seen[0], seen[6]]).toEqual([events[6]!.id, events[0]!.id]);
  });

  it('filters by type and by a half-open range', async () => {
    const caller = callerOf(newId());
    const { tenantId } = caller;
    await deliver(
      eventOf(tenantId, '2026-11-20T10:00:00.000Z'),
      eventOf(tenantId, '2026-11-20T10:00:01.000Z', 'test.thing.undone'),
      eventOf(tenantId, '2026-11-20T10:00:02.000Z'),
    );
    const length = async (input: Record<string, unknown>): Promise<number> =>
      (await list(caller, input)).data.length;
    expect(await length({ type: 'test.thing.undone' })).toBe(1);
    expect(await length({ type: `' or 1 = 1 --` })).toBe(0);
    expect(await length({ from: '2026-11-20T11:00:01+01:00' })).toBe(2);
    expect(await length({ to: '2026-11-20T10:00:01Z' })).toBe(1);
    expect(await length({ from: '2026-11-20T10:00:00.000001Z', to: '2026-11-20T10:00:02Z' })).toBe(1);
  });

  it('refuses the cursor of another tenant', async () => {
    const caller = callerOf(newId());
    await deliver(
      eventOf(caller.tenantId, '2026-11-20T10:00:00Z'),
      eventOf(caller.tenantId, '2026-11-20T10:00:01Z'),
    );
    const { nextCursor } = await list(caller, { limit: 1 });
    await expect(list(callerOf(newId()), { after: nextCursor })).rejects.toBeInstanceOf(CursorInvalid);
  });

  it('counts each event once, in whole intervals of UTC', async () => {
    const caller = callerOf(newId());
    const instants = [
      '2026-11-19T23:59:59.999Z',
      '2026-11-20T00:00:00.000Z',
      '2026-11-20T00:00:59.999Z',
      '2026-11-20T01:00:00.000Z',
    ];
    const events = instants.map((at) => eventOf(caller.tenantId, at));
    await deliver(...events);
    await deliver(...events);
    await deliver(
      eventOf(caller.tenantId, instants[1]!, 'test.thing.undone'),
      eventOf(newId(), instants[1]!),
    );
    const counted = (interval: string) =>
      series(caller, {
        event: 'test.thing.happened',
        interval,
        from: '2026-11-19T12:00:00Z',
        to: '2026-11-20T12:00:00Z',
      });
    expect(await counted('minute')).toEqual({
      data: [
        { at: '2026-11-19T23:59:00Z', count: 1 },
        { at: '2026-11-20T00:00:00Z', count: 2 },
        { at: '2026-11-20T01:00:00Z', count: 1 },
      ],
    });
    expect((await counted('day')).data).toEqual([
      { at: '2026-11-19T00:00:00Z', count: 1 },
      { at: '2026-11-20T00:00:00Z', count: 3 },
    ]);
  });
});

// Guards architecture §8: a store that is away is refused by name, in bounded time, and is asked again later.
describe('Telemetry while the store is away', () => {
  let silent: Server;
  let url: string;
  /** How often the store was sent something. */
  let heard = 0;
  const sockets = new Set<Socket>();

  beforeAll(async () => {
    // Takes connections and never answers, which is the worst way to be away.
    silent = createServer((socket) => {
      sockets.add(socket);
      socket.on('data', () => (heard += 1));
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => silent.close(resolve));
  });

  const list = (store: TelemetryStore) =>
    new TelemetryEventsHandler(store).execute(
      new TelemetryEvents(callerOf(newId()), telemetryEventsInput.parse({ from: new Date().toISOString() })),
    );
  const unavailable = { code: 'telemetry.unavailable', kind: 'unavailable', retryAfterSeconds: 2 };

  it('refuses at once when nobody listens, and opens the circuit', async () => {
    const store = new TelemetryStore({ url: 'http://127.0.0.1:1' });
    for (let read = 0; read < 5; read += 1) await expect(list(store)).rejects.toMatchObject(unavailable);
    expect(store.isOpenForReads).toBe(false);
    await expect(list(store)).rejects.toMatchObject(unavailable);
    await expect(
      new ClickHouseConsumer(store).deliver([eventOf(newId(), '2026-11-20T10:00:00Z')], 'token'),
    ).rejects.toMatchObject(unavailable);
    await store.close();
  });

  it('gives up at the deadline, and then refuses without asking', async () => {
    const store = new TelemetryStore({ url }, 300);
    const begun = Date.now();
    await Promise.all(
      Array.from({ length: 5 }, () => expect(list(store)).rejects.toMatchObject(unavailable)),
    );
    expect(Date.now() - begun).toBeGreaterThan(290);
    const asked = heard;
    expect(asked).toBeGreaterThan(0);
    await expect(list(store)).rejects.toMatchObject(unavailable);
    expect(store.isOpenForReads).toBe(false);
    expect(heard).toBe(asked);
    await store.close();
  });

  it('counts the wait for a place among the reads', async () => {
    // Answers each statement after 400 ms with no rows: twenty at a time, a hundredth read would wait for 2 s, and not be refused.
    const slow = createHttpServer((_request, response) => void sleep(400).then(() => response.end()));
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    const store = new TelemetryStore(
      { url: `http://127.0.0.1:${(slow.address() as AddressInfo).port}` },
      1_000,
    );
    const reads = await Promise.allSettled(Array.from({ length: 100 }, () => list(store)));
    const refusals = reads.flatMap((read) => (read.status === 'rejected' ? [read.reason as unknown] : []));
    expect(refusals.length).toBeGreaterThan(0);
    expect(refusals.length).toBeLessThan(100);
    for (const refusal of refusals) expect(refusal).toMatchObject(unavailable);
    await store.close();
    slow.closeAllConnections();
    await new Promise((resolve) => slow.close(resolve));
  });

  it('is read again when it is back', async () => {
    const gone = await TestClickHouse.open('front', { password: 'secret' });
    const endpoint = gone.endpoint as { readonly url: string };
    await gone.close();
    const store = new TelemetryStore(endpoint);
    for (let read = 0; read < 5; read += 1) await expect(list(store)).rejects.toMatchObject(unavailable);
    const back = await TestClickHouse.open('front', {
      port: Number(new URL(endpoint.url).port),
      password: 'secret',
    });
    await new ClickHouseConsumer(store).deliver([eventOf(newId(), '2026-11-20T10:00:00Z')], newId());
    await sleep(2_100);
    expect((await list(store)).data).toEqual([]);
    expect(store.isOpenForReads).toBe(true);
    await store.close();
    await back.close();
  });
});
