import type { Caller } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import { Readings } from './readings';
import { Tallies } from './tallies';

describe('Readings of the trail', () => {
  let database: TestDatabase;
  let tallies: Tallies;
  let readings: Readings;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  beforeEach(async () => {
    tallies = new Tallies(database.tenants(2));
    readings = new Readings(tallies);
    caller = await database.caller(undefined, 'operator:alice');
  });
  afterEach(() => tallies.onApplicationShutdown());
  afterAll(() => database.drop());

  const told = (): Promise<{ act: string; data: Readonly<Record<string, unknown>> }[]> =>
    database.admin(
      "select act, data from events.log where tenant_id = $1 and type = 'audit.trail.read' order by seq",
      [caller.tenantId],
    );

  it('are in the log before they are answered, with the names of the filters and no values', async () => {
    await readings.record(caller, {
      what: 'events',
      filters: { to: undefined, type: 'ledger.*', actor: 'member:1' },
    });
    const { act, data } = (await told())[0]!;
    expect(act).toBe('operator:alice');
    expect(data).toMatchObject({ what: 'events', by: ['actor', 'type'], of: [], count: 1 });
    expect(JSON.stringify(data)).not.toContain('member:1');
  });

  it('are told together where one follows the other, with what was looked at', async () => {
    for (let read = 1; read <= 30; read += 1)
      await readings.record(caller, { what: 'event', of: [`id-${read}`] });
    expect(await told()).toMatchObject([{ data: { count: 1, of: ['id-1'] } }]);
    await tallies.onApplicationShutdown();
    const [, ...later] = (await told()).map(({ data }) => data);
    expect(later.map(({ count }) => count)).toEqual([20, 9]);
    // Each is named, so that nothing is looked at behind other things.
    const named = later.flatMap(({ of }) => of as string[]);
    expect(named).toEqual(Array.from({ length: 29 }, (_, place) => `id-${place + 2}`));
  });

  it('of one process do not wait for each other', async () => {
    await Promise.all(Array.from({ length: 50 }, () => readings.record(caller, { what: 'feed' })));
    await tallies.flush(true);
    expect((await told()).map(({ data }) => data['count'])).toEqual([1, 49]);
  });

  it('are answered although they could not be recorded, and told of later', async () => {
    await database.admin('revoke execute on function events.append from holdfast_app');
    try {
      await readings.record(caller, { what: 'events' });
    } finally {
      await database.admin('grant execute on function events.append to holdfast_app');
    }
    expect(await told()).toEqual([]);
    await tallies.flush();
    expect(await told()).toMatchObject([{ data: { what: 'events', count: 1 } }]);
  });
});
