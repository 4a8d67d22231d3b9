import { newId } from '@holdfast/kernel';
import type { RecordedEvent } from '@holdfast/events';
import { TestDatabase } from '@holdfast/testing';
import { countByDayAndType, UsageConsumer } from './usage.listener';

const event = (type: string, occurredAt: string): RecordedEvent => ({
  seq: 1n,
  id: newId(),
  tenantId: newId(),
  streamType: 'probe',
  streamId: newId(),
  streamVersion: 1n,
  type,
  schemaVersion: 1,
  actor: 'system:test',
  act: null,
  correlationId: 'test',
  causationId: null,
  traceparent: null,
  occurredAt,
  data: {},
});

describe('The usage group', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  afterAll(() => database.drop());

  const page = [
    event('a.made', '2026-11-20T23:59:59.999999Z'),
    event('a.made', '2026-11-20T00:00:00.000000Z'),
    event('a.made', '2026-11-21T00:00:00.000000Z'),
    event('b.made', '2026-11-21T00:00:00.000000Z'),
  ];

  it('counts by day in UTC and by type', () => {
    expect(countByDayAndType(page)).toEqual([
      { usedOn: '2026-11-20', eventType: 'a.made', eventCount: 2 },
      { usedOn: '2026-11-21', eventType: 'a.made', eventCount: 1 },
      { usedOn: '2026-11-21', eventType: 'b.made', eventCount: 1 },
    ]);
  });

  it('adds to what was counted before', async () => {
    const caller = await database.caller();
    const tenants = database.tenants(1);
    for (let i = 0; i < 2; i += 1)
      await tenants.transaction(caller, (tx) => new UsageConsumer().deliver(tx, page));
    const counts = await database.admin(
      `select used_on::text, event_type, event_count::int from tenants.usage_counts where tenant_id = $1 order by 1, 2`,
      [caller.tenantId],
    );
    expect(counts).toEqual([
      { used_on: '2026-11-20', event_type: 'a.made', event_count: 4 },
      { used_on: '2026-11-21', event_type: 'a.made', event_count: 2 },
      { used_on: '2026-11-21', event_type: 'b.made', event_count: 2 },
    ]);
  });
});
