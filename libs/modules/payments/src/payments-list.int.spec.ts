import { newId } from '@holdfast/kernel';
import { callerOf, Grants, type TenantTx } from '@holdfast/tenancy';
import { rowsRead, TestDatabase } from '@holdfast/testing';
import { paymentStatusSchema } from './payment';
import { getPayment } from './payment-by-id.query';
import { listPayments, type PaymentsAsked } from './seen-payments.sql';

/** Payments of a tenant, and as many to another bank: outgoing and incoming ones by turns, and every thousandth has failed. */
const PAYMENTS = 30_000;
const LIMIT = 50;
/** Of each kind so many are looked at for one page, at most. */
const LOOKED_AT_MAX = 2_000;

const MAKE = `with numbered as materialized (
    select i, uuidv7($5::interval) as id, case i % 2 when 0 then 'outgoing' else 'incoming' end as direction,
      case when i in (6, 7, 8) then 'pending' when i % 1000 = 0 then 'failed' else 'completed' end as status
    from generate_series($3::int, $4::int) i
  ), made as (
    insert into payments.payments (tenant_id, id, direction, counterparty_id, account_id, counterparty_account_id, amount, asset, status, posted_at, ended_at)
    select $1, id, direction, $2, $2, case direction when 'outgoing' then $2::uuid end, 1, 'EUR/2', status, now(),
      case when status <> 'pending' then now() end
    from numbered
  )
  insert into sagas.sagas (tenant_id, id, name, hash, state, input, due_at, ended_at, deadline_at, correlation_id, started_by)
  select $1, id, 'payments.payment', 'hash', case i when 6 then 'needs_operator' when 8 then 'running' else 'completed' end, '{}'::jsonb,
    case i when 8 then now() end, case when i not in (6, 8) then now() end, now(), 'request', 'test'
  from numbered where direction = 'outgoing'
  union all
  select $1, uuidv7($5::interval), 'payments.bank_payment', 'hash', case i % 1000 when 0 then 'compensated' else 'completed' end, '{}'::jsonb,
    null::timestamptz, now(), now(), 'request', 'test'
  from numbered`;

// Limits: a page of the list costs what it shows, however many payments a tenant has, and however often it is asked for.
describe('The list of payments', () => {
  const tenantId = newId();
  const other = newId();
  /** Whom the oldest twenty are with, of which three are pending; an operator is needed for one of those. */
  const seldom = newId();
  let database: TestDatabase;
  let grants: Grants;
  beforeAll(async () => {
    database = await TestDatabase.create();
    grants = new Grants(database.as('holdfast_auth', 1));
    await database.admin(MAKE, [tenantId, other, 21, PAYMENTS, '0']);
    // What is few came behind the last look of the planner, as for all that it knows everything is with one and has ended.
    await database.admin('vacuum analyze payments.payments, sagas.sagas', []);
    await database.admin(MAKE, [tenantId, seldom, 1, 20, '-1 day']);
  });
  afterAll(async () => {
    grants.close();
    await database.drop();
  });

  /** How many rows were read for what was answered. */
  async function reading<T>(
    work: (tx: TenantTx) => Promise<T>,
    of = tenantId,
  ): Promise<readonly [T, number]> {
    const caller = callerOf(await grants.forSystem('test', of), { requestId: newId() });
    return database.tenants(1).transaction(caller, async (tx: TenantTx) => {
      const answer = await work(tx);
      return [answer, await rowsRead(tx, 'payments.payments', 'sagas.sagas')];
    });
  }

  it.each<[PaymentsAsked]>([
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
        const { rows } = await listPayments(tx, asked, last, LIMIT);
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

  it.each<[PaymentsAsked, number, number?]>([
    [{ status: 'failed' }, 60],
    [{ status: 'compensated' }, 0, 30], // To another bank, of which nothing was held.
    [{ status: 'pending' }, 2],
    [{ status: 'needs_operator' }, 1],
    [{ counterpartyTenantId: seldom }, 20],
    [{ counterpartyTenantId: seldom, direction: 'incoming' }, 10],
    [{ counterpartyTenantId: seldom, status: 'completed' }, 17],
    [{ counterpartyTenantId: seldom, status: 'pending' }, 2],
    [{ counterpartyTenantId: newId() }, 0],
  ])('of %p finds the few among the many', async (asked, known, others = 0) => {
    const [shown, read] = await reading(async (tx) => {
      const pages = [];
      for (let time = 0; time < 8; time += 1) pages.push(await listPayments(tx, asked, undefined, 100));
      return pages.map(({ rows, last }) => last ?? rows.length);
    });
    expect(shown).toEqual(Array(8).fill(known));
    // Each is looked at, and shown with its saga; of both directions, and of those for which an operator is needed.
    expect(read).toBeLessThanOrEqual(8 * (4 * known + others + 6));
  });

  it('looks at some of very many on each page where no index has the few, and loses none behind them', async () => {
    const payer = newId();
    const sent = 2 * LOOKED_AT_MAX + 100;
    await database.admin(
      `insert into payments.payments (tenant_id, id, direction, counterparty_id, account_id, counterparty_account_id, amount, asset, status, posted_at, ended_at)
       select $1, uuidv7(), case i when 1 then 'incoming' else 'outgoing' end, $2, $2, case when i > 1 then $2::uuid end, 1, 'EUR/2', 'completed', now(), now()
       from generate_series(1, $3::int) i`,
      [payer, other, sent + 1],
    );
    const found: string[] = [];
    const reads: number[] = [];
    for (let after: string | undefined, more = true; more; more = after !== undefined) {
      const [{ rows, last }, read] = await reading(
        (tx) => listPayments(tx, { direction: 'incoming' }, after, 2),
        payer,
      );
      found.push(...rows.map(({ direction }) => direction));
      reads.push(read);
      after = last;
    }
    expect(found).toEqual(['incoming']);
    expect(reads).toHaveLength(3);
    expect(Math.max(...reads)).toBeLessThanOrEqual(LOOKED_AT_MAX + 3);
  });

  it('finds one by its id among them', async () => {
    const [{ rows }] = await reading((tx) => listPayments(tx, { direction: 'incoming' }, undefined, 1));
    const [last] = rows;
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
      const { rows: all } = await listPayments(tx, {}, undefined, 100);
      expect(all).toHaveLength(4 * states.length + 2 * states.length);
      for (const status of paymentStatusSchema.options) {
        const shown = all.filter((row) => row.status === status);
        expect(shown).not.toEqual([]);
        expect(await listPayments(tx, { status }, undefined, 100)).toEqual({ rows: shown, last: undefined });
      }
    });
  });
});
