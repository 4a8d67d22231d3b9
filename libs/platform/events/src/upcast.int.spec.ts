import { newId } from '@holdfast/kernel';
import type { Database } from '@holdfast/database';
import { announcement, earlierVersion, eventType, Grants, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { z } from 'zod';
import { storeConsumer, tenantConsumer } from '../test/consumers';
import { declarationOf } from './consumer';
import { registerGroup } from './groups.sql';
import type { RecordedEvent } from './recorded-event';
import { StoreDelivery } from './store-delivery';
import { TenantDelivery } from './tenant-delivery';
import { acquireLease, makeTick } from './ticks.sql';

const boiled = eventType('test.kettle.boiled', {
  version: 2,
  description: 'Water has boiled.',
  schema: z.object({ celsius: z.int() }),
  example: { celsius: 100 },
  earlier: [
    earlierVersion({
      version: 1,
      schema: z.object({ fahrenheit: z.int() }),
      example: { fahrenheit: 212 },
      upcast: ({ fahrenheit }) => ({ celsius: Math.round(((fahrenheit - 32) * 5) / 9) }),
    }),
  ],
});

/** Events of releases before and after: what handlers get, what stores get, and that none is lost. */
describe('Events of other releases', () => {
  let database: TestDatabase;
  let relay: Database;
  let tenants: TenantDatabase;
  let grants: Grants;
  let tenantId: string;

  beforeAll(async () => {
    database = await TestDatabase.create();
    relay = database.as('holdfast_relay');
    tenants = database.tenants(4);
    grants = new Grants(database.as('holdfast_auth', 2));
    tenantId = newId();
    const caller = await database.caller(tenantId);
    const current = announcement(boiled, { id: newId(), version: 1n }, { celsius: 99 });
    const as = (schemaVersion: number, payload: object, type = current.type) => ({
      ...current,
      id: newId(),
      streamId: newId(),
      type,
      schemaVersion,
      payload: JSON.stringify(payload),
    });
    await tenants.transaction(caller, (tx) =>
      tx.announce(
        as(1, { fahrenheit: 212 }),
        as(3, { kelvin: 373 }),
        current,
        as(7, { anything: 1 }, 'test.kettle.reinvented'),
      ),
    );
    const lease = {
      holder: 'test',
      fence: (await acquireLease(relay, 'test', 60_000)) ?? 0n,
      leaseMs: 60_000,
    };
    await makeTick(relay, lease);
  });
  afterAll(() => database.drop());

  const seen = (events: readonly RecordedEvent[]): object[] =>
    events.map(({ type, schemaVersion, data }) => ({ type, schemaVersion, data }));

  it('reach a handler in the latest version that it knows, and wait where that is not enough', async () => {
    // By id: a page with an event that fails is undone and delivered again, key by key.
    const got = new Map<string, RecordedEvent>();
    const consumer = tenantConsumer((_tx, events) => {
      for (const event of events) got.set(event.id, event);
      return Promise.resolve();
    });
    await registerGroup(relay, declarationOf(consumer));
    const errors: string[] = [];
    const delivery = new TenantDelivery(consumer, tenants, grants, (error) => errors.push(String(error)));
    for (let tries = 0; tries < 12; tries += 1) {
      await delivery.deliver(tenantId);
      await database.admin("update events.parked_keys set retry_at = '-infinity'");
    }
    expect(seen([...got.values()])).toEqual([
      { type: 'test.kettle.boiled', schemaVersion: 2, data: { celsius: 100 } },
      { type: 'test.kettle.boiled', schemaVersion: 2, data: { celsius: 99 } },
      { type: 'test.kettle.reinvented', schemaVersion: 7, data: { anything: 1 } },
    ]);
    // It is tried again and again, is not given up, and is there for the release that can read it.
    expect(errors.filter((error) => error.includes('EventTooNew')).length).toBeGreaterThan(8);
    const parked = await database.admin('select state, last_error from events.parked_keys');
    expect(parked).toEqual([{ state: 'retrying', last_error: expect.stringContaining('has version 3') }]);
    expect(await database.admin('select 1 from events.parked_events')).toHaveLength(1);
  });

  it('reach a store as they were recorded', async () => {
    const got: object[] = [];
    const consumer = storeConsumer((events) => Promise.resolve(void got.push(...seen(events))));
    await registerGroup(relay, declarationOf(consumer));
    await new StoreDelivery(consumer, relay, (error) => {
      throw error;
    }).deliver();
    expect(got).toEqual([
      { type: 'test.kettle.boiled', schemaVersion: 1, data: { fahrenheit: 212 } },
      { type: 'test.kettle.boiled', schemaVersion: 3, data: { kelvin: 373 } },
      { type: 'test.kettle.boiled', schemaVersion: 2, data: { celsius: 99 } },
      { type: 'test.kettle.reinvented', schemaVersion: 7, data: { anything: 1 } },
    ]);
  });
});
