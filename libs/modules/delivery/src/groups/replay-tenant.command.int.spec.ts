import { type Caller, newId, NotFound } from '@holdfast/kernel';
import { GroupsApp } from '../../test/groups-app';
import { ReplayTenant } from './replay-tenant.command';

const input = { group: 'feeds', from: 'beginning', reason: 'lost' } as const;
const start = { tick: 0n, madeAt: null };

describe('ReplayTenant', () => {
  let app: GroupsApp;
  let caller: Caller;
  beforeAll(async () => {
    app = await GroupsApp.start();
  });
  beforeEach(async () => {
    caller = await app.operator();
  });
  afterAll(() => app.close());

  const cursors = (): Promise<unknown[]> =>
    app.database.admin(
      'select group_name, rewind_to::int, from_tick::int from events.tenant_cursors where tenant_id = $1',
      [caller.tenantId],
    );

  it('asks the group to go back and says so in the trail', async () => {
    await app.database.admin(
      `insert into events.tenant_cursors (tenant_id, group_name, from_tick) values ($1, 'feeds', 0)`,
      [caller.tenantId],
    );
    expect(await app.do(new ReplayTenant(caller, input, start))).toEqual({
      group: 'feeds',
      tenantId: caller.tenantId,
      tick: '0',
      madeAt: null,
    });
    await app.do(new ReplayTenant(caller, input, start));
    expect(await cursors()).toEqual([{ group_name: 'feeds', rewind_to: 0, from_tick: 0 }]);
    expect(await app.events(caller)).toMatchObject([
      { type: 'delivery.consumer.replayed', act: 'operator:ann', version: 1 },
      { version: 2, data: { group: 'feeds', tick: '0' } },
    ]);
  });

  it('never sends a group ahead of where it stands', async () => {
    await app.database.admin(
      `insert into events.ticks (id, snapshot, event_count, wal_lsn, fence) values (7, pg_current_snapshot(), 1, '0/0', 1)
       on conflict do nothing`,
    );
    await app.database.admin(
      `insert into events.tenant_cursors (tenant_id, group_name, from_tick) values ($1, 'feeds', 0)`,
      [caller.tenantId],
    );
    await app.do(new ReplayTenant(caller, input, { tick: 7n, madeAt: null }));
    expect(await cursors()).toEqual([{ group_name: 'feeds', rewind_to: 0, from_tick: 0 }]);
  });

  it('refuses a group that nobody has registered, and a tenant that has no events', async () => {
    await expect(app.do(new ReplayTenant(caller, { ...input, group: 'nobody' }, start))).rejects.toThrow(
      NotFound,
    );
    const nobody = { ...caller, tenantId: newId() };
    await expect(app.do(new ReplayTenant(nobody, input, start))).rejects.toThrow(NotFound);
  });
});
