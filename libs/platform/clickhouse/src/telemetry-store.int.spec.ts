import { newId } from '@holdfast/kernel';
import { TestClickHouse } from '@holdfast/testing';
import { TelemetryStore, type TelemetryStatement } from './telemetry-store';

const COUNT: TelemetryStatement<{ readonly events: string }> = {
  text: 'select count() as events from telemetry.tenant_events(tenant_id = {tenant_id:UUID})',
};
const ECHO: TelemetryStatement<{ readonly text: string; readonly none: string | null }> = {
  text: 'select {text:String} as text, {none:Nullable(String)} as none, {tenant_id:UUID} as tenant_id',
};

// Guards isolation rule 23: reads are one tenant's.
describe.each(TestClickHouse.kinds())('TelemetryStore over %s', (kind) => {
  let clickHouse: TestClickHouse;
  let store: TelemetryStore;

  beforeAll(async () => {
    clickHouse = await TestClickHouse.open(kind);
    store = new TelemetryStore(clickHouse.endpoint);
    await store.migrate();
  });
  afterAll(async () => {
    await store.close();
    await clickHouse.close();
  });

  it('applies its schema once', async () => {
    expect(await store.migrate()).toEqual([]);
    expect(await store.ping()).toBe(true);
  });

  it.each([
    'select count() as events from telemetry.tenant_events',
    'select count() as events from telemetry.tenant_events()',
  ])('refuses to read without a tenant: %s', async (text) => {
    // By ClickHouse's own number: refused, not unavailable.
    await expect(store.read(newId(), { text }, {})).rejects.toMatchObject({
      code: expect.stringMatching(/^\d+$/),
    });
  });

  it('binds parameters as they are', async () => {
    const text = `a'b\\'c \t\n\\N "?{x} 😀`;
    expect(await store.read(newId(), ECHO, { text, none: null })).toMatchObject([{ text, none: null }]);
    expect(await store.read(newId(), ECHO, { text: '[1', none: '' })).toMatchObject([
      { text: '[1', none: '' },
    ]);
  });

  it.each([
    ['telemetry.query_too_large', 'select sum(number) from numbers(200000000)'],
    [
      'telemetry.query_memory_exceeded',
      "select sum(length(repeat(materialize('x'), 1000000))) from numbers(65000)",
    ],
  ])('refuses with %s what exceeds a limit, and goes on', async (code, text) => {
    for (let read = 0; read < 6; read += 1)
      await expect(store.read(newId(), { text }, {})).rejects.toMatchObject({ code, kind: 'refused' });
    expect(store.isOpenForReads).toBe(true);
    expect(await store.read(newId(), COUNT, {})).toEqual([{ events: '0' }]);
  });

  it('says what is wrong with a statement, and goes on', async () => {
    await expect(store.read(newId(), { text: 'select nothing_of_the_kind' }, {})).rejects.toMatchObject({
      code: '47',
      type: 'UNKNOWN_IDENTIFIER',
    });
    expect(store.isOpenForReads).toBe(true);
    expect(await store.read(newId(), COUNT, {})).toEqual([{ events: '0' }]);
  });
});
