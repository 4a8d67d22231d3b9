import { SystemTx } from '@holdfast/database';
import { newId } from '@holdfast/kernel';
import { callerOf, Grants, type TenantTx } from '@holdfast/tenancy';
import { rowsRead, TestDatabase } from '@holdfast/testing';
import { countOpenSagas, listDueSagas } from './sagas.sql';
import { listOperatedSagas, listSeenSagas, type SagasAsked } from './seen-sagas.sql';

/** Sagas of a tenant: every thousandth was compensated, and every five-hundredth is of another definition. */
const SAGAS = 20_000;

// Limits: a page of a list costs what it shows, however many sagas a tenant has, whatever is asked for, and however often.
describe('The list of sagas', () => {
  const tenantId = newId();
  let database: TestDatabase;
  let grants: Grants;
  beforeAll(async () => {
    database = await TestDatabase.create();
    grants = new Grants(database.as('holdfast_auth', 1));
    await database.admin(
      `insert into sagas.sagas (tenant_id, id, name, hash, state, input, due_at, ended_at, deadline_at, correlation_id, started_by)
       select $1, uuidv7(), case i % 500 when 7 then 'test.rare' else 'test.often' end, 'hash',
         case i % 1000 when 0 then 'compensated' else 'completed' end, '{}', null, now(), now(), 'request', 'test'
       from generate_series(1, $2::int) i`,
      [tenantId, SAGAS],
    );
    await database.admin('vacuum analyze sagas.sagas', []);
  });
  afterAll(async () => {
    grants.close();
    await database.drop();
  });

  it.each<[SagasAsked, number]>([
    [{}, SAGAS],
    [{ name: 'test.rare' }, 40],
    [{ name: 'test.rare', state: 'completed' }, 40],
    [{ state: 'compensated' }, 20],
    [{ name: 'test.often', state: 'compensated' }, 20],
    [{ state: 'completed' }, SAGAS - 20],
    [{ state: 'needs_operator' }, 0],
    [{ isStuck: true }, 0],
  ])('of %p reads little more than it shows', async (asked, known) => {
    const caller = callerOf(await grants.forSystem('test', tenantId), { requestId: newId() });
    const pool = database.tenants(1);
    let shown = 0;
    let read = Infinity;
    // Behind the fifth time PostgreSQL may keep a plan that does for any values.
    await pool.transaction(caller, async (tx: TenantTx) => {
      for (let page = 0, last: string | undefined; page < 8; page += 1) {
        const rows = await listSeenSagas(tx, asked, last, 50);
        shown += rows.length;
        // From the top again behind the end: so few are left there that any index does.
        last = rows.length < 50 ? undefined : rows.at(-1)?.id;
        expect(
          rows.every(({ name, state }) => (asked.name ?? name) === name && (asked.state ?? state) === state),
        ).toBe(true);
      }
      read = await rowsRead(tx, 'sagas.sagas');
    });
    expect(shown).toBe(known < 50 ? 8 * known : 400);
    // Each twice; where completed ones are asked for, one in a thousand is passed over.
    expect(read).toBeLessThanOrEqual(2 * shown + 1);
  });

  it('counts what the process knows, however many others have been open for longer', async () => {
    await database.admin(
      `insert into sagas.sagas (tenant_id, id, name, hash, input, deadline_at, correlation_id, started_by, started_at)
       select gen_random_uuid(), gen_random_uuid(), 'test.unknown', i::text, '{}'::jsonb, now(), 'request', 'test', now() - interval '1 day'
       from generate_series(1, 1000) i
       union all
       select gen_random_uuid(), gen_random_uuid(), 'test.zest', 'hash', '{}', now(), 'request', 'test', now()`,
      [],
    );
    const counted = await database.as('holdfast_relay', 1).transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => countOpenSagas(tx, [{ name: 'test.zest', hash: 'hash' }]),
    );
    expect(counted).toHaveLength(1_000);
    expect(counted).toContainEqual(expect.objectContaining({ name: 'test.zest', sagas: 1 }));
    await database.admin("delete from sagas.sagas where name in ('test.unknown', 'test.zest')", []);
  });

  it('of those that are due reads none that wait, and none of definitions that the process does not know', async () => {
    const [known, hash] = ['test.due', 'hash'];
    await database.admin(
      `insert into sagas.sagas (tenant_id, id, name, hash, input, deadline_at, correlation_id, started_by, due_at)
       select gen_random_uuid(), gen_random_uuid(), case i % 3 when 0 then 'test.unknown' else $1 end, $2, '{}'::jsonb, now(), 'request', 'test',
         now() + make_interval(days => case when i < 10 or i % 3 = 0 then -1 else 1 end)
       from generate_series(1, 3000) i`,
      [known, hash],
    );
    await database.as('holdfast_relay', 1).transaction(
      (connection) => new SystemTx(connection, 'read only'),
      async (tx) => {
        // Behind the fifth time PostgreSQL may keep a plan that does for any values.
        for (let looks = 0; looks < 8; looks += 1)
          expect(
            await listDueSagas(tx, { sagas: [{ name: known, hash }], exceptTenants: [] }, 100),
          ).toHaveLength(6);
        expect(await rowsRead(tx, 'sagas.sagas')).toBeLessThanOrEqual(8 * 6);
      },
    );
    await database.admin("delete from sagas.sagas where name in ('test.unknown', 'test.due')", []);
  });

  it('of all tenants begins with those that wait longest', async () => {
    const ids = [newId(), newId(), newId()];
    await database.admin(
      `insert into sagas.sagas (tenant_id, id, name, hash, state, input, due_at, deadline_at, correlation_id, started_by)
       select gen_random_uuid(), id, 'test.stopped', 'hash', 'needs_operator', '{}', null, now(), 'request', 'test'
       from unnest($1::uuid[]) id`,
      [ids],
    );
    const ops = database.as('holdfast_ops', 1);
    const found = await ops.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      (tx) => listOperatedSagas(tx, { isStuck: true }, 2),
    );
    expect(found.map(({ id }) => id)).toEqual(ids.slice(0, 2));
  });
});
