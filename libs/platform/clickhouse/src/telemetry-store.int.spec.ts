import { Deadline, DeadlinePassed, newId } from '@holdfast/kernel';
import { TestClickHouse } from '@holdfast/testing';
import { TelemetryStore, type TelemetryStatement } from './telemetry-store';
import { TooManyReads } from './tenant-reads';

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

  it('tells a reader whose time was over just that', async () => {
    const slow = { text: 'select sleep(0.2) as slept, {tenant_id:UUID} as tenant_id' };
    const late = store.read({ tenantId: newId(), deadline: Deadline.in(20) }, slow, {});
    await expect(late).rejects.toBeInstanceOf(DeadlinePassed);
  });

  it('has the store read no longer than somebody may wait for it', async () => {
    const limit = async (leftMs?: number): Promise<unknown> => {
      const deadline = leftMs === undefined ? undefined : Deadline.in(leftMs);
      const text = "select getSetting('max_execution_time') as seconds, {tenant_id:UUID} as tenant_id";
      const [row] = await store.read<{ seconds: unknown }>({ tenantId: newId(), deadline }, { text }, {});
      return Number(row?.seconds);
    };
    expect([await limit(), await limit(60_000), await limit(1_900)]).toEqual([4, 4, 2]);
  });

  it('refuses a tenant that asks for too much at once, and answers another', async () => {
    const [greedy, modest] = [newId(), newId()];
    const slow = { text: 'select sleep(0.02) as slept, {tenant_id:UUID} as tenant_id' };
    const asked = Array.from({ length: 64 }, () =>
      store.read(greedy, slow, {}).then(
        () => 'answered',
        (error: unknown) => (error instanceof TooManyReads ? error.kind : error),
      ),
    );
    const ended: string[] = [];
    const all = Promise.all(asked).then(() => ended.push('greedy'));
    expect(await store.read(modest, COUNT, {})).toEqual([{ events: '0' }]);
    ended.push('modest');
    await all;
    const outcomes = Map.groupBy(await Promise.all(asked), String);
    const [answered, refused] = ['answered', 'too_many'].map((each) => outcomes.get(each)?.length ?? 0);
    expect([...outcomes.keys()].toSorted()).toEqual(['answered', 'too_many']);
    expect(refused).toBeGreaterThanOrEqual(39);
    expect(answered).toBeGreaterThanOrEqual(5);
    expect(ended).toEqual(['modest', 'greedy']);
    expect(await store.read(greedy, COUNT, {})).toEqual([{ events: '0' }]);
  }, 30_000);
});
