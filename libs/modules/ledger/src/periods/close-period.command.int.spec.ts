import { fixtureMade } from '@holdfast/testing';
import { lockAccount } from '../accounts/accounts.sql';
import { LedgerApp } from '../../test/ledger-app';
import { ClosePeriod, ReopenPeriod } from './close-period.command';
import type { PeriodView } from './period';
import { Period } from './period.query';
import { lockBooks, updateBooks } from './periods.sql';

describe('ClosePeriod and ReopenPeriod', () => {
  let app: LedgerApp;
  let cash: string;
  let sales: string;

  beforeAll(async () => void (app = await LedgerApp.start()));
  beforeEach(async () => {
    await app.enter();
    [cash, sales] = [await app.open(), await app.open()];
  });
  afterAll(() => app.close());

  const close = (through: string): Promise<PeriodView> =>
    app.commands.execute(new ClosePeriod(app.caller, { through }));
  const reopen = (through: string | null): Promise<PeriodView> =>
    app.commands.execute(new ReopenPeriod(app.caller, { through }));
  const read = (): Promise<PeriodView> => app.queries.execute(new Period(app.caller, {}));
  const post = async (effectiveDate?: string): Promise<string | undefined> => {
    const terms = effectiveDate === undefined ? null : { effective_date: effectiveDate };
    return (await app.book({ debitAccountId: cash, creditAccountId: sales, amount: 5n, terms }))[0];
  };

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
    const events = await app.database.admin(
      `select type, stream_type, stream_id, stream_version::int, data from events.log
       where tenant_id = $1 and stream_type = 'ledger.period' order by seq`,
      [app.caller.tenantId],
    );
    const stream = { stream_type: 'ledger.period', stream_id: app.caller.tenantId };
    expect(events).toEqual([
      { ...stream, type: 'ledger.period.closed', stream_version: 1, data: { closedThrough: '2026-10-31' } },
      { ...stream, type: 'ledger.period.reopened', stream_version: 2, data: { closedThrough: null } },
    ]);
  });

  it('close a day an hour after it has ended, and not before', async () => {
    const at = (instant: string): Promise<unknown> =>
      app.database.admin(
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
      await app.database.admin(
        `create or replace function ledger.clock() returns timestamptz language sql volatile
         set search_path = pg_catalog, pg_temp as $$ select clock_timestamp() $$`,
      );
    }
  });

  it('wait for what is being dated back, which is booked then', async () => {
    const ordered = await app.tenants.transaction(app.caller, async (tx) => {
      // The posting has seen open books, and waits here for the lock of an account.
      await lockAccount(tx, sales);
      const booked = post('2026-10-31');
      await app.untilWaiting(1);
      const closed = close('2026-10-31');
      await app.untilWaiting(2);
      return { booked, closed };
    });
    expect(await ordered.booked).toBe('created');
    expect(await ordered.closed).toMatchObject({ closedThrough: '2026-10-31' });
  });

  it('are waited for by what is dated back, which then sees the day closed', async () => {
    const ordered = await app.tenants.transaction(app.caller, async (tx) => {
      await lockBooks(tx);
      await updateBooks(tx, '2026-10-31');
      await tx.announce(fixtureMade());
      const booked = post('2026-10-31');
      await app.untilWaiting(1);
      return { booked };
    });
    expect(await ordered.booked).toBe('ledger.period_closed');
  });

  it('are of one tenant', async () => {
    await close('2026-10-31');
    await app.enter();
    expect(await read()).toMatchObject({ closedThrough: null });
  });

  it('ask for ledger:close', async () => {
    app.caller = { ...app.caller, scopes: ['ledger:read', 'ledger:write'] };
    await expect(close('2026-10-31')).rejects.toMatchObject({ code: 'auth.forbidden' });
    await expect(reopen(null)).rejects.toMatchObject({ code: 'auth.forbidden' });
  });
});
