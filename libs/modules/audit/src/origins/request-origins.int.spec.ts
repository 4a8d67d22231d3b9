import { type Caller, newId } from '@holdfast/kernel';
import { listSubjectStores, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { insertOrigins, listOrigins } from './origins.sql';
import './origins-of-subjects.sql';
import { RequestOrigins } from './request-origins';

describe('Where requests came from', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants(2);
  });
  beforeEach(async () => {
    caller = await database.caller();
  });
  afterAll(() => database.drop());

  const came = { route: 'POST /v1/gates', status: 201, address: '192.0.2.7', userAgent: 'curl' };
  const counted = async (): Promise<number> => {
    const rows = await database.admin('select from audit.requests where tenant_id = $1', [caller.tenantId]);
    return rows.length;
  };

  it('is told of all that were answered about then, and of none long before or after', async () => {
    const at = (seconds: number): string => new Date(Date.UTC(2026, 10, 26) + seconds * 1_000).toISOString();
    const origin = { requestId: 'r', actor: caller.actor, ...came };
    await tenants.transaction(caller, (tx) =>
      insertOrigins(
        tx,
        [-60, 1, 2, 3_600].map((seconds) => ({ id: newId(), answeredAt: at(seconds), ...origin })),
      ),
    );
    const of = { requestId: 'r', actor: caller.actor, occurredAt: at(0) };
    const read = (by: Caller, about = of) => tenants.reading(by, (tx) => listOrigins(tx, about));
    expect((await read(caller)).map(({ answeredAt }) => answeredAt)).toEqual([at(1), at(2)]);
    expect(await read(caller, { ...of, actor: 'member:2' })).toEqual([]);
    expect(await read(await database.caller())).toEqual([]);
  });

  it('keeps a few of what is refused, and forgets what is old', async () => {
    await database.admin(
      `insert into audit.requests (tenant_id, id, request_id, actor, route, status, address, answered_at)
       select $1, uuidv7(make_interval(days => -91)), 'old', 'x', 'x', 201, '192.0.2.7', now() - make_interval(days => 91)
       from generate_series(1, 15) n`,
      [caller.tenantId],
    );
    const origins = new RequestOrigins(tenants);
    for (let request = 0; request < 100; request += 1) origins.record(caller, { ...came, status: 422 });
    for (let request = 0; request < 5; request += 1) origins.record(caller, came);
    await origins.flush();
    expect(await counted()).toBe(15);
  });

  it('goes with the person, in every row', async () => {
    const subject = newId();
    await database.admin(
      `insert into audit.requests (tenant_id, id, request_id, actor, route, status, address, answered_at)
       select $1, uuidv7(), 'r', case when n <= 1500 then 'member:' || $2 else 'api_key:' || $2 end, 'x', 201, '192.0.2.7', now()
       from generate_series(1, 1501) n`,
      [caller.tenantId, subject],
    );
    const store = listSubjectStores().find(({ name }) => name === 'audit.requests')!;
    await tenants.transaction(caller, async (tx) => {
      expect(await store.countRows(tx, [subject])).toBe(1_500);
      expect(await store.sweep!(tx, [subject], new Date())).toBe(false);
      expect(await store.sweep!(tx, [subject], new Date())).toBe(true);
    });
    expect(await counted()).toBe(1);
  });
});
