import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '@holdfast/kernel';
import { ScriptedSink } from '../test/scripted-sink';
import { droppedOf } from './accounting';
import { Intake } from './intake';
import type { TelemetryTable } from './telemetry-sink';
import type { TrackedEvent } from './tracked-event';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const nowMs = Date.parse('2026-11-27T12:00:00.000Z');

const eventAt = (atMs: number, more: Partial<TrackedEvent> = {}): TrackedEvent => ({
  kind: 'track',
  name: 'Statement Viewed',
  messageId: newId(),
  userId: 'user',
  anonymousId: '',
  groupId: '',
  madeAtMs: atMs,
  atMs,
  priority: 'normal',
  properties: { pages: 3 },
  context: {},
  ...more,
});
const eventsAt = (atMs: number, count: number): TrackedEvent[] =>
  Array.from({ length: count }, () => eventAt(atMs));

describe('The intake', () => {
  let directory: string;
  let sink: ScriptedSink;
  let intake: Intake;
  const holder = { keyId: newId(), tenantId: newId() };

  const newIntake = (shed: 'ack' | '429' = 'ack', ringBytesMax = 1_000_000): Intake =>
    new Intake({
      sinks: [sink],
      planOf: () => 'free',
      directory,
      spillBytesMax: 10_000_000,
      ringBytesMax,
      shed,
      report: () => undefined,
    });
  /** Rows of a table that are in the store. */
  const stored = (table: TelemetryTable): Record<string, unknown>[] =>
    [...sink.batches.values()]
      .filter((batch) => batch.table === table)
      .flatMap(({ rows }) => rows.map(({ line }) => JSON.parse(line) as Record<string, unknown>));

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'intake-'));
    sink = new ScriptedSink();
    intake = newIntake();
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('writes the row of an event with the columns of the store', async () => {
    intake.start();
    const event = eventAt(nowMs - 5, { madeAtMs: nowMs - 60_000 });
    expect(intake.accept(holder, [event], nowMs)).toEqual({ accepted: 1, dropped: 0 });
    await intake.drain(5_000);
    expect(stored('tracked')).toEqual([
      {
        tenant_id: holder.tenantId,
        message_id: event.messageId,
        kind: 'track',
        name: 'Statement Viewed',
        user_id: 'user',
        anonymous_id: '',
        group_id: '',
        at: '2026-11-27T11:59:59.995Z',
        made_at: nowMs - 60_000,
        received_at: '2026-11-27T12:00:00.000Z',
        key_id: holder.keyId,
        keep_days: 30,
        properties: { pages: 3 },
        context: {},
      },
    ]);
  });

  it('drops what is too late or says that it will be, and keeps what is within an hour of it', () => {
    const times = [30 * DAY_MS + 1, 30 * DAY_MS, 0, -HOUR_MS, -HOUR_MS - 1];
    const events = times.map((ageMs) => eventAt(nowMs - ageMs));
    expect(intake.accept(holder, events, nowMs)).toEqual({ accepted: 3, dropped: 2 });
    expect(intake.door.of(holder.tenantId)).toMatchObject({ received: 5, late: 1, future: 1 });
  });

  it('drops and counts what cannot be written, instead of throwing', () => {
    let nested = {};
    for (let depth = 0; depth < 100_000; depth += 1) nested = { nested };
    const events = [eventAt(Number.NaN), eventAt(nowMs, { properties: nested }), eventAt(nowMs)];
    expect(intake.accept(holder, events, nowMs)).toEqual({ accepted: 1, dropped: 2 });
    expect(intake.door.of(holder.tenantId)).toMatchObject({ received: 3, invalid: 2 });
  });

  it('refuses what is over the quota of a tenant, and nobody else', () => {
    intake.accept(holder, eventsAt(0, 20_000), nowMs);
    const refused = intake.accept(holder, eventsAt(nowMs, 5), nowMs);
    expect(refused).toEqual({
      ...{ accepted: 0, dropped: 5, isOverQuota: true },
      retryAfterMs: expect.any(Number),
    });
    expect(intake.door.of(holder.tenantId)).toMatchObject({ received: 20_005, quota: 5 });
    const other = { keyId: newId(), tenantId: newId() };
    expect(intake.accept(other, [eventAt(nowMs)], nowMs)).toEqual({ accepted: 1, dropped: 0 });
  });

  /** Of three priorities, of which the ring takes the first alone when it is half full. */
  const mixed = (): TrackedEvent[] =>
    (['high', 'normal', 'low'] as const).flatMap((priority) =>
      Array.from({ length: 10 }, () => eventAt(nowMs, { priority })),
    );

  it('drops what there is no room for, and takes the rest of the request', () => {
    intake = newIntake('ack', 100_000);
    const { accepted, dropped, retryAfterMs } = intake.accept(holder, mixed(), nowMs);
    expect([accepted, dropped, retryAfterMs]).toEqual([30, 0, undefined]);
    for (let turn = 0; turn < 9; turn += 1) intake.accept(holder, mixed(), nowMs);
    const counts = intake.lanes[0]?.accounting.of(holder.tenantId);
    expect((counts?.in_flight ?? 0) + (counts?.overload ?? 0)).toBe(300);
    expect(counts?.overload).toBeGreaterThan(0);
  });

  it('refuses a request as a whole where it is told to, since that is sent again as a whole', () => {
    intake = newIntake('429', 100_000);
    let [taken, refused] = [0, 0];
    for (let turn = 0; turn < 10; turn += 1) {
      const { accepted, dropped, retryAfterMs, isOverQuota } = intake.accept(holder, mixed(), nowMs);
      expect([accepted, dropped]).toEqual(retryAfterMs === undefined ? [30, 0] : [0, 30]);
      expect(isOverQuota).toBeUndefined();
      taken += accepted;
      refused += dropped;
    }
    expect([taken > 0, refused > 0]).toEqual([true, true]);
    expect(intake.lanes[0]?.accounting.of(holder.tenantId)).toMatchObject({ in_flight: taken, overload: 0 });
    expect(intake.door.of(holder.tenantId)).toMatchObject({ received: 300, overload: refused });
  });

  it('keeps room for the samples of others when some send garbage', async () => {
    const reject = (each: typeof holder): void => {
      for (const reason of ['invalid', 'oversized', 'late', 'future'] as const)
        intake.reject(each, reason, 1, 'x');
    };
    const garbage = Array.from({ length: 30 }, () => ({ keyId: newId(), tenantId: newId() }));
    jest.useFakeTimers({ now: nowMs, doNotFake: ['setImmediate', 'setTimeout', 'setInterval', 'nextTick'] });
    try {
      for (let second = 0; second < 59; second += 1) {
        garbage.slice(0, 5).forEach(reject);
        jest.setSystemTime(nowMs + second * 1_000);
      }
      for (const each of garbage) intake.reject(each, 'invalid', 1, 'y');
    } finally {
      jest.useRealTimers();
    }
    intake.start();
    await intake.drain(5_000);
    const sampled = new Set(stored('bad_rows').map((row) => row['tenant_id']));
    expect(sampled.size).toBe(30);
  });

  it('tells the tenant at the end where all of its events are', async () => {
    intake.start();
    intake.accept(holder, eventsAt(nowMs, 10), nowMs);
    intake.tell();
    intake.accept(holder, [eventAt(0)], nowMs);
    intake.reject(holder, 'oversized', 2, 'x'.repeat(5_000));
    await intake.drain(5_000);
    const sums = new Map<string, number>();
    for (const { lane, outcome, reason, events } of stored('ingest_minutes')) {
      const key = [lane, outcome, reason].join(' ');
      sums.set(key, (sums.get(key) ?? 0) + Number(events));
    }
    expect(Object.fromEntries([...sums].filter(([, events]) => events !== 0))).toEqual({
      ' received ': 13,
      ' dropped late': 1,
      ' dropped oversized': 2,
      'scripted stored ': 10,
    });
    expect(stored('bad_rows')).toEqual([
      expect.objectContaining({ tenant_id: holder.tenantId, reason: 'late' }),
      expect.objectContaining({ key_id: holder.keyId, reason: 'oversized', sample: 'x'.repeat(1_024) }),
    ]);
  });

  it('keeps what it has to tell on the disk while the store is away', async () => {
    sink.answer = () => 'fail';
    intake.start();
    intake.accept(holder, eventsAt(nowMs, 10), nowMs);
    await intake.drain(0);
    const [lane] = intake.lanes;
    const { received } = intake.door.total;
    const { total } = lane?.accounting ?? { total: intake.door.total };
    expect(received).toBe(total.stored + droppedOf(total) + total.in_flight + total.spilled);
    expect(total.spilled).toBe(10);
    sink.answer = () => 'store';
    intake = newIntake();
    intake.start();
    for (let turn = 0; turn < 500 && stored('ingest_minutes').length === 0; turn += 1)
      await new Promise((resolve) => setTimeout(resolve, 10));
    await intake.drain(5_000);
    expect(stored('tracked')).toHaveLength(10);
    expect(stored('ingest_minutes')).toContainEqual(
      expect.objectContaining({ outcome: 'spilled', events: 10 }),
    );
  });
});
