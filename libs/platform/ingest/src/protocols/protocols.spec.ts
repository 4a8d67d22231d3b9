import type { TrackedEvent } from '../tracked-event';
import type { Body } from './body';
import { readOtlpLogs } from './otlp';
import { posthogKeyOf, readPosthog } from './posthog';
import type { Reading } from './reading';
import { readSegment } from './segment';

const RECEIVED_AT_MS = Date.UTC(2026, 10, 27, 12);
const iso = (offsetMs: number): string => new Date(RECEIVED_AT_MS + offsetMs).toISOString();
const bodyOf = (value: unknown): Body => ({ value: JSON.parse(JSON.stringify(value)), isSmall: true });
const only = ({ events, rejects }: Reading): TrackedEvent => {
  expect(rejects).toEqual([]);
  expect(events).toHaveLength(1);
  return events[0] as TrackedEvent;
};

describe('A call of Segment', () => {
  const segment = (value: unknown, call: Parameters<typeof readSegment>[1] = 'batch'): Reading =>
    readSegment(bodyOf(value), call, RECEIVED_AT_MS);
  const many = (length: number): object[] =>
    Array.from({ length }, () => ({ type: 'track', event: 'E', userId: 'u' }));

  test('is read with what it says', () => {
    const call = {
      event: 'Order Completed',
      messageId: 'm1',
      userId: 42,
      timestamp: iso(-5),
      properties: { total: 3 },
      context: { ip: '192.0.2.1' },
    };
    expect(only(segment(call, 'track'))).toEqual({
      kind: 'track',
      name: 'Order Completed',
      messageId: 'm1',
      userId: '42',
      anonymousId: '',
      groupId: '',
      madeAtMs: RECEIVED_AT_MS - 5,
      atMs: RECEIVED_AT_MS - 5,
      priority: 'normal',
      properties: { total: 3 },
      context: { ip: '192.0.2.1' },
    });
  });

  test('keeps who somebody is when others go', () => {
    const { events } = segment({
      batch: [
        { type: 'identify', userId: 'u', traits: { plan: 'free' } },
        { type: 'group', userId: 'u', groupId: 'g', traits: { size: 3 } },
        { type: 'alias', userId: 'u', previousId: 'a' },
        { type: 'page', anonymousId: 'a', name: 'Home' },
      ],
    });
    expect(events.map(({ kind, priority, properties }) => [kind, priority, properties])).toEqual([
      ['identify', 'high', { plan: 'free' }],
      ['group', 'high', { size: 3 }],
      ['alias', 'high', { previousId: 'a' }],
      ['page', 'low', {}],
    ]);
  });

  test('is corrected by the clock of who sent it, but not by what the network takes', () => {
    const at = (sentAt: string): number =>
      only(segment({ event: 'E', userId: 'u', timestamp: iso(-3_600_000), sentAt }, 'track')).atMs;
    expect(at(iso(-3_599_000))).toBe(RECEIVED_AT_MS - 1_000);
    expect(at(iso(-9_000))).toBe(RECEIVED_AT_MS - 3_600_000);
    const { madeAtMs } = only(
      segment({ event: 'E', userId: 'u', timestamp: iso(-3_600_000), sentAt: iso(-3_599_000) }, 'track'),
    );
    expect(madeAtMs).toBe(RECEIVED_AT_MS - 3_600_000);
  });

  test('without an instant happened on arrival, and without an id is one of its own', () => {
    const { events } = segment({ batch: many(2) });
    expect(events.map(({ madeAtMs, atMs }) => [madeAtMs, atMs])).toEqual([
      [0, RECEIVED_AT_MS],
      [0, RECEIVED_AT_MS],
    ]);
    expect(events[0]?.messageId).not.toBe(events[1]?.messageId);
  });

  test('that is not one is refused by itself, with a sample', () => {
    const good = { type: 'track', event: 'E', userId: 'u' };
    const bad = [
      null,
      7,
      { ...good, event: '' },
      { ...good, userId: undefined },
      { ...good, userId: { id: 1 } },
      { ...good, timestamp: 'yesterday' },
      { ...good, timestamp: 1e300 },
      { ...good, properties: [] },
      { ...good, type: 'toString' },
      { type: 'group', userId: 'u' },
      { type: 'alias', userId: 'u' },
    ];
    const { events, rejects } = segment({ batch: [good, ...bad, good] });
    expect(events).toHaveLength(2);
    expect(rejects.map(({ reason, sample }) => [reason, sample])).toEqual(
      bad.map((event) => ['invalid', JSON.stringify(event)]),
    );
    expect(segment({ batch: [{ ...good, userId: 'u'.repeat(201) }] }).rejects[0]?.reason).toBe('oversized');
  });

  test('does not multiply what its events share', () => {
    const batch = many(2_000);
    expect(() => segment({ batch, context: { text: 'x'.repeat(100_000) } })).toThrow('events share');
    expect(() => segment({ batch: [...batch, ...batch] })).toThrow('2000 events');
  });
});

describe('A batch of PostHog', () => {
  const event = { event: 'signed up', distinct_id: 'u1', uuid: 'id1', timestamp: iso(-10) };
  const posthog = (value: unknown): Reading => readPosthog(bodyOf(value), RECEIVED_AT_MS);

  test('is read with what it says', () => {
    const properties = { $groups: { company: 'acme' }, plan: 'pro' };
    expect(only(posthog({ api_key: 'k', batch: [{ ...event, properties }] }))).toMatchObject({
      kind: 'track',
      name: 'signed up',
      messageId: 'id1',
      userId: 'u1',
      groupId: 'acme',
      madeAtMs: RECEIVED_AT_MS - 10,
      priority: 'normal',
      properties,
    });
  });

  test('says who is anonymous, and who was', () => {
    const { events } = posthog({
      batch: [
        { ...event, properties: { $process_person_profile: false } },
        { ...event, event: '$identify', properties: { $anon_distinct_id: 'a1' } },
        { ...event, event: '$create_alias', properties: { alias: 'a2' } },
        { ...event, event: 'constructor' },
      ],
    });
    expect(events.map(({ kind, userId, anonymousId }) => [kind, userId, anonymousId])).toEqual([
      ['track', '', 'u1'],
      ['identify', 'u1', 'a1'],
      ['alias', 'u1', 'a2'],
      ['track', 'u1', ''],
    ]);
  });

  test('may be one event, with the key beside it or in it', () => {
    expect(only(posthog({ ...event, api_key: 'k' })).name).toBe('signed up');
    expect(posthogKeyOf(bodyOf({ ...event, properties: { token: 'k' } }))).toBe('k');
    expect(posthogKeyOf(bodyOf({ ...event, properties: 'k' }))).toBeUndefined();
  });

  test('may be a bare list, as posthog-js sends what it has collected', () => {
    const list = [1, 2].map((n) => ({ event: `E${n}`, properties: { token: 'k', distinct_id: 'u' } }));
    expect(posthog(list).events.map(({ name, userId }) => [name, userId])).toEqual([
      ['E1', 'u'],
      ['E2', 'u'],
    ]);
    expect(posthogKeyOf(bodyOf(list))).toBe('k');
    expect(posthogKeyOf(bodyOf({ batch: list }))).toBe('k');
    for (const none of [[], [null], ['k'], [{ properties: null }]])
      expect(posthogKeyOf(bodyOf(none))).toBeUndefined();
    expect(() => posthog(Array.from({ length: 2_001 }, () => ({})))).toThrow('2000 events');
  });

  test('has the time of its capture, the same in every attempt, where it says only how long it waited', () => {
    // The first 48 bits are 12:00 on 2026-11-27, less a second.
    const uuid = `${(RECEIVED_AT_MS - 1_000)
      .toString(16)
      .padStart(12, '0')
      .replace(/^(.{8})/, '$1-')}-7abc-8abc-0123456789ab`;
    const waited = { event: 'E', distinct_id: 'u', uuid, offset: 900 };
    const clock = 3_600_000;
    const times = (value: unknown): number[] => {
      const { madeAtMs, atMs } = only(posthog(value));
      return [madeAtMs, atMs].map((ms) => ms - RECEIVED_AT_MS);
    };
    expect(times([waited])).toEqual([-1_000, -1_000]);
    // The clock of the sender is an hour slow, by what it says beside the batch, or in each event.
    expect(times({ batch: [waited], sent_at: iso(-clock) })).toEqual([-1_000, clock - 1_000]);
    expect(times([{ ...waited, sent_at: iso(-clock) }])).toEqual([-1_000, clock - 1_000]);
    // Captured for another time than that of the id.
    const overridden = { ...waited, properties: { $event_time_override_provided: true }, offset: 86_400_000 };
    expect(times([overridden])).toEqual([-1_000, -86_400_000]);
    const unknown = { event: 'E', distinct_id: 'u', uuid: 'id1' };
    expect(times([{ ...unknown, offset: 900 }])).toEqual([-RECEIVED_AT_MS, -900]);
    for (const offset of [-5, '5', null, undefined]) expect(times([{ ...unknown, offset }])[1]).toBe(0);
    expect(times([{ ...waited, timestamp: iso(-5) }])).toEqual([-5, -5]);
  });

  test('has events with a name and a person', () => {
    const { rejects } = posthog({ batch: [{ distinct_id: 'u' }, { event: 'E' }] });
    expect(rejects.map(({ reason }) => reason)).toEqual(['invalid', 'invalid']);
  });
});

describe('A request of OTLP', () => {
  const record = {
    timeUnixNano: `${RECEIVED_AT_MS}000001`,
    severityNumber: 17,
    severityText: 'ERROR',
    body: { stringValue: 'no disk' },
    attributes: [
      { key: 'user.id', value: { stringValue: 'u1' } },
      { key: 'sizes', value: { arrayValue: { values: [{ intValue: '1' }, { doubleValue: 2.5 }] } } },
      { key: 'map', value: { kvlistValue: { values: [{ key: '__proto__', value: { boolValue: true } }] } } },
    ],
  };
  const requestOf = (...logRecords: unknown[]): object => ({
    resourceLogs: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
        scopeLogs: [{ scope: { name: 'checkout' }, logRecords }],
      },
    ],
  });
  const otlp = (value: unknown): Reading => readOtlpLogs(bodyOf(value), RECEIVED_AT_MS);

  test('is read with what it says', () => {
    const log = only(otlp(requestOf(record)));
    expect(log).toMatchObject({
      kind: 'log',
      name: 'ERROR',
      userId: 'u1',
      madeAtMs: RECEIVED_AT_MS,
      atMs: RECEIVED_AT_MS,
      priority: 'normal',
      properties: { body: 'no disk', severity: 17 },
      context: { resource: { 'service.name': 'shop' }, scope: { name: 'checkout' } },
    });
    const { attributes } = log.properties as { attributes: object };
    expect(JSON.stringify(attributes)).toBe('{"user.id":"u1","sizes":["1",2.5],"map":{"__proto__":true}}');
  });

  test('that comes again brings the same ids, and equal records in one differ', () => {
    const ids = (): string[] =>
      otlp(requestOf(record, record, { ...record, severityNumber: 9 })).events.map(
        ({ messageId }) => messageId,
      );
    expect(ids()).toEqual(ids());
    expect(new Set(ids()).size).toBe(3);
  });

  test('is refused record by record, and as a whole where no record can be found', () => {
    const deep = Array.from({ length: 40 }).reduce<object>((value) => ({ arrayValue: { values: [value] } }), {
      stringValue: 'x',
    });
    const bad = [
      { ...record, timeUnixNano: 'noon' },
      { ...record, body: deep },
      { ...record, attributes: 'none' },
    ];
    const { events, rejects } = otlp(requestOf(record, ...bad));
    expect([events.length, rejects.length]).toEqual([1, 3]);
    expect(() => otlp({ resourceLogs: 'none' })).toThrow('has to be a list');
    expect(otlp({}).events).toEqual([]);
  });
});
