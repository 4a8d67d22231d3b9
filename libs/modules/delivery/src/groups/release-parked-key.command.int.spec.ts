import { type Caller, newId } from '@holdfast/kernel';
import { GroupsApp } from '../../test/groups-app';
import { NotQuarantined } from './groups.errors';
import { ReleaseParkedKey } from './release-parked-key.command';

const input = { group: 'feeds', key: 'probe/1', skipFailed: false, reason: 'mended' };

describe('ReleaseParkedKey', () => {
  let app: GroupsApp;
  let caller: Caller;
  beforeAll(async () => {
    app = await GroupsApp.start();
  });
  beforeEach(async () => {
    caller = await app.operator();
  });
  afterAll(() => app.close());

  const park = async (): Promise<string> => {
    const failed = newId();
    await app.database.admin(
      `insert into events.parked_keys (tenant_id, group_name, key, state, attempts, event_count, failed_event_id)
       values ($1, 'feeds', 'probe/1', 'quarantined', 8, 3, $2)
       on conflict (tenant_id, group_name, key) do update set state = 'quarantined', retry_at = null`,
      [caller.tenantId, failed],
    );
    return failed;
  };

  it('lets the key go on and says so in the trail, each time with the next version', async () => {
    await park();
    expect(await app.do(new ReleaseParkedKey(caller, input))).toMatchObject({
      state: 'releasing',
      eventCount: 3,
      skippedEventId: null,
    });
    await park();
    await app.do(new ReleaseParkedKey(caller, input));
    const data = { group: 'feeds', key: 'probe/1', skippedEventId: null };
    expect(await app.events(caller)).toEqual(
      [1, 2].map((version) => ({
        type: 'delivery.parked_key.released',
        act: 'operator:ann',
        version,
        data,
      })),
    );
  });

  it('lets one of two operators release a key', async () => {
    await park();
    const both = await Promise.allSettled([0, 1].map(() => app.do(new ReleaseParkedKey(caller, input))));
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(await app.events(caller)).toHaveLength(1);
  });

  it('refuses where no such key is quarantined in the tenant', async () => {
    await park();
    const other = await app.operator();
    await expect(app.do(new ReleaseParkedKey(other, input))).rejects.toThrow(NotQuarantined);
    await expect(app.do(new ReleaseParkedKey(caller, { ...input, key: 'probe/2' }))).rejects.toThrow(
      NotQuarantined,
    );
    expect(await app.events(other)).toEqual([]);
  });
});
