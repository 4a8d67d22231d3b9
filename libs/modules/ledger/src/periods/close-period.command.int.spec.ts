import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import type { TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test, type TestingModule } from '@nestjs/testing';
import { insertAccount, lockAccount } from '../accounts/accounts.sql';
import { LedgerModule } from '../ledger.module';
import { PLAIN, postBatch } from '../posting/post-batch.sql';
import { ClosePeriod, ReopenPeriod } from './close-period.command';
import type { PeriodView } from './period';
import { Period } from './period.query';
import { lockBooks, updateBooks } from './periods.sql';

describe('ClosePeriod and ReopenPeriod', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let module: TestingModule;
  let commands: CommandBus;
  let queries: QueryBus;
  let caller: Caller;
  let cash: string;
  let sales: string;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants();
    module = await Test.createTestingModule({
      imports: [MessagesModule.forRoot(database.tenants()), LedgerModule],
    }).compile();
    await module.init();
    commands = module.get(CommandBus);
    queries = module.get(QueryBus);
  });
  beforeEach(async () => {
    caller = await database.caller();
    [cash, sales] = [newId(), newId()];
    await tenants.transaction(caller, async (tx) => {
      for (const id of [cash, sales])
        await insertAccount(tx, id, {
          code: id,
          asset: 'EUR/2',
          normalBalance: 'debit',
          limit: 'none',
          metadata: {},
        });
    });
  });
  afterAll(async () => {
    await module.close();
    await database.drop();
  });

  const close = (through: string): Promise<PeriodView> =>
    commands.execute(new ClosePeriod(caller, { through }));
  const reopen = (through: string | null): Promise<PeriodView> =>
    commands.execute(new ReopenPeriod(caller, { through }));
  const read = (): Promise<PeriodView> => queries.execute(new Period(caller, {}));

  async function post(effectiveDate?: string): Promise<string | undefined> {
    const terms = effectiveDate === undefined ? null : { effective_date: effectiveDate };
    const legs = { debitAccountId: cash, creditAccountId: sales, amount: 5n };
    const fields = { ...PLAIN, caller, id: newId(), idGiven: false, idempotencyKey: null, metadata: {} };
    const [answer] = await tenants.transaction(caller, (tx) =>
      postBatch(tx, [{ ...fields, ...legs, terms }]),
    );
    return answer?.result;
  }

  /** Until so many connections wait for a lock: nobody else uses this database. */
  async function waiting(wanted: number): Promise<void> {
    const find = `select 1 from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`;
    while ((await database.admin(find, [database.name])).length < wanted) await sleep(10);
  }

  it('refuse what is dated into closed days, and nothing else', async () => {
    expect(await read()).toMatchObject({ closedThrough: null, revision: '1' });
    expect(await close('2026-10-31')).toMatchObject({ closedThrough: '2026-10-31', revision: '2' });
    expect(await read()).toMatchObject({ closedThrough: '2026-10-31', revision: '2' });
    expect(await post('2026-10-31')).toBe('ledger.period_closed');
    expect(await post('2026-11-01')).toBe('created');
    expect(await post()).toBe('created');
    expect(await reopen('2026-09-30')).toMatchObject({ closedThrough: '2026-09-30', revision: '3' });
    expect(await post('2026-10-31')).toBe('created');
    expect(await post('2026-09-30')).toBe('ledger.period_closed');
    expect(await reopen(null)).toMatchObject({ closedThrough: null, revision: '4' });
    expect(await post('2026-09-30')).toBe('created');
  });

  it('change nothing where there is nothing to do, and announce each change once', async () => {
    const closed = await close('2026-10-31');
    expect(await close('2026-10-31')).toEqual(closed);
    expect(await close('2026-08-31')).toEqual(closed);
    expect(await reopen('2026-10-31')).toEqual(closed);
    const open = await reopen(null);
    expect(await reopen('2026-09-30')).toEqual(open);
    const events = await database.admin(
      `select type, stream_type, stream_id, stream_version::int, data from events.log where tenant_id = $1 order by seq`,
      [caller.tenantId],
    );
    const stream = { stream_type: 'ledger.period', stream_id: caller.tenantId };
    expect(events).toEqual([
      { ...stream, type: 'ledger.period.closed', stream_version: 1, data: { closedThrough: '2026-10-31' } },
      { ...stream, type: 'ledger.period.reopened', stream_version: 2, data: { closedThrough: null } },
    ]);
  });

  it('close a day an hour after it has ended, and not before', async () => {
    const at = (instant: string): Promise<unknown> =>
      database.admin(
        `create or replace function ledger.clock() returns timestamptz language sql volatile
         set search_path = pg_catalog, pg_temp as $$ select '${instant}'::timestamptz $$`,
      );
    try {
      await at('2026-11-01T00:59:59Z');
      expect(await read()).toMatchObject({ closableThrough: '2026-10-30' });
      await expect(close('2026-10-31')).rejects.toMatchObject({
        code: 'request.invalid',
        errors: [{ pointer: '/through', code: 'not_over' }],
      });
      await at('2026-11-01T01:00:00Z');
      expect(await close('2026-10-31')).toMatchObject({ closedThrough: '2026-10-31' });
    } finally {
      await database.admin(
        `create or replace function ledger.clock() returns timestamptz language sql volatile
         set search_path = pg_catalog, pg_temp as $$ select clock_timestamp() $$`,
      );
    }
  });

  it('wait for what is being dated back, which is booked then', async () => {
    const ordered = await tenants.transaction(caller, async (tx) => {
      // The posting has seen open books, and waits here for the lock of an account.
      await lockAccount(tx, sales);
      const booked = post('2026-10-31');
      await waiting(1);
      const closed = close('2026-10-31');
      await waiting(2);
      return { booked, closed };
    });
    expect(await ordered.booked).toBe('created');
    expect(await ordered.closed).toMatchObject({ closedThrough: '2026-10-31' });
  });

  it('are waited for by what is dated back, which then sees the day closed', async () => {
    const ordered = await tenants.transaction(caller, async (tx) => {
      await lockBooks(tx);
      await updateBooks(tx, '2026-10-31');
      const booked = post('2026-10-31');
      await waiting(1);
      return { booked };
    });
    expect(await ordered.booked).toBe('ledger.period_closed');
  });

  it('are of one tenant', async () => {
    await close('2026-10-31');
    caller = await database.caller();
    expect(await read()).toMatchObject({ closedThrough: null });
  });

  it('ask for ledger:close', async () => {
    caller = { ...caller, scopes: ['ledger:read', 'ledger:write'] };
    await expect(close('2026-10-31')).rejects.toMatchObject({ code: 'auth.forbidden' });
    await expect(reopen(null)).rejects.toMatchObject({ code: 'auth.forbidden' });
  });
});
