import { newId } from '@holdfast/kernel';
import { callerOf, Grants, type TenantTx } from '@holdfast/tenancy';
import { rowsRead, TestDatabase } from '@holdfast/testing';
import { paymentStatusSchema } from './payment';
import { getPayment } from './payment-by-id.query';
import { listPayments } from './payments.query';

/** Payments of a tenant, and as many to another bank: outgoing and incoming ones by turns, and every thousandth has failed. */
const PAYMENTS = 30_000;
const LIMIT = 50;

// Limits: a page of the list costs what it shows, however many payments a tenant has, and however often it is asked for.
describe('The list of payments', () => {
  const tenantId = newId();
  const other = newId();
  let database: TestDatabase;
  let grants: Grants;
  beforeAll(async () => {
    database = await TestDatabase.create();
    grants = new Grants(database.as('holdfast_auth', 1));
    await database.admin(
      `with made as (
         insert into payments.payments (tenant_id, id, direction, counterparty_id, account_id, counterparty_account_id, amount, asset, status, posted_at, ended_at)
         select $1, uuidv7(), case i % 2 when 0 then 'outgoing' else 'incoming' end, $2, $2, case i % 2 when 0 then $2::uuid end, 1, 'EUR/2',
           case i % 1000 when 0 then 'failed' else 'completed' end, now(), now()
         from generate_series(1, $3::int) i
         returning id, direction
       )
       insert into sagas.sagas (tenant_id, id, name, hash, state, input, due_at, ended_at, deadline_at, correlation_id, started_by)
       select $1, id, 'payments.payment', 'hash', 'completed', '{}'::jsonb, null::timestamptz, now(), now(), 'request', 'test' from made where direction = 'outgoing'
       union all
       select $1, uuidv7(), 'payments.bank_payment', 'hash', 'completed', '{}'::jsonb, null::timestamptz, now(), now(), 'request', 'test'
       from generate_series(1, $3::int)`,
      [tenantId, other, PAYMENTS],
    );
    await database.admin('vacuum analyze payments.payments, sagas.sagas', []);
  });
  afterAll(async () => {
    grants.close();
    await database.drop();
  });

  /** How many rows were read for what was answered. */
  async function reading<T>(work: (tx: TenantTx) => Promise<T>): Promise<readonly [T, number]> {
    const caller = callerOf(await grants.forSystem('test', tenantId), { requestId: newId() });
    return database.tenants(1).transaction(caller, async (tx: TenantTx) => {
      const answer = await work(tx);
      return [answer, await rowsRead(tx, 'payments.payments', 'sagas.sagas')];
    });
  }

  it.each<[Parameters<typeof listPayments>[1]]>([
    [{}],
    [{ direction: 'outgoing' }],
    [{ direction: 'incoming' }],
    [{ status: 'completed' }],
    [{ counterpartyTenantId: other }],
  ])('of %p reads little more than it shows', async (asked) => {
    const [shown, read] = await reading(async (tx) => {
      const ids = new Set<string>();
      // Behind the fifth time PostgreSQL may keep a plan that does for any values.
      for (let page = 0, last: string | undefined; page < 8; page += 1) {
        const rows = await listPayments(tx, asked, last, LIMIT);
        last = rows.at(-1)?.id;
        for (const { id } of rows) ids.add(id);
        expect(rows.every((row) => row.direction === (asked.direction ?? row.direction))).toBe(true);
        expect(rows.every((row) => row.status === (asked.status ?? row.status))).toBe(true);
      }
      return ids.size;
    });
    expect(shown).toBe(8 * LIMIT);
    // Of both kinds as many as are shown, and those that are shown again, with their sagas; every other one goes the other way.
    expect(read).toBeLessThanOrEqual(6 * shown);
  });

  it('finds one by its id among them', async () => {
    const [[last]] = await reading((tx) => listPayments(tx, { direction: 'incoming' }, undefined, 1));
    const [found, read] = await reading(async (tx) => {
      const ids = [];
      for (let time = 0; time < 8; time += 1) ids.push((await getPayment(tx, last?.id ?? '')).id);
      return ids;
    });
    expect(found).toEqual(Array(8).fill(last?.id));
    expect(read).toBeLessThanOrEqual(3 * 8);
  });

  it('finds of each status those that show it, whatever their sagas say', async () => {
    const mixed = newId();
    const states = ['running', 'compensating', 'needs_operator', 'completed', 'compensated'];
    await database.admin(
      `with made as (
         insert into payments.payments (tenant_id, id, direction, counterparty_id, account_id, counterparty_account_id, amount, asset, status, posted_at, ended_at)
         select $1, uuidv7(), 'outgoing', $2, $2, $2, 1, 'EUR/2', status, now(), case when status <> 'pending' then now() end
         from unnest(array['pending', 'completed', 'failed', 'compensated']) status, unnest($3::text[])
         returning id
       ), begun as (
         select id, 'payments.payment' as name, ($3::text[])[1 + row_number() over () % 5] as state, '{}'::jsonb as results from made
         union all
         select uuidv7(), 'payments.bank_payment', state, results
         from unnest($3::text[]) state, unnest(array['{}', '{"hold": {}}']::jsonb[]) results
       )
       insert into sagas.sagas (tenant_id, id, name, hash, state, input, results, due_at, ended_at, deadline_at, correlation_id, started_by)
       select $1, id, name, 'hash', state, '{}', results, case when state in ('running', 'compensating') then now() end,
         case when state in ('completed', 'compensated') then now() end, now(), 'request', 'test' from begun`,
      [mixed, other, states],
    );
    const caller = callerOf(await grants.forSystem('test', mixed), { requestId: newId() });
    await database.tenants(1).transaction(caller, async (tx: TenantTx) => {
      const all = await listPayments(tx, {}, undefined, 100);
      expect(all).toHaveLength(4 * states.length + 2 * states.length);
      for (const status of paymentStatusSchema.options) {
        const shown = all.filter((row) => row.status === status);
        expect(shown).not.toEqual([]);
        expect(await listPayments(tx, { status }, undefined, 100)).toEqual(shown);
      }
    });
  });
});
