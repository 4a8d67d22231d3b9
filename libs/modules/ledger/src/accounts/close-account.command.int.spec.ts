import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId, NotFound } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import type { TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { CommandBus } from '@nestjs/cqrs';
import { Test, type TestingModule } from '@nestjs/testing';
import { LedgerModule } from '../ledger.module';
import { PLAIN, postBatch, type Posting } from '../posting/post-batch.sql';
import type { AccountView } from './account';
import { insertAccount, lockAccount, updateAccount } from './accounts.sql';
import { CloseAccount, ReopenAccount } from './close-account.command';

describe('CloseAccount and ReopenAccount', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let module: TestingModule;
  let commands: CommandBus;
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

  const post = async (changes: Partial<Posting> = {}): Promise<string | undefined> => {
    const legs = { debitAccountId: cash, creditAccountId: sales, amount: 5n };
    const fields = { ...PLAIN, caller, id: newId(), idGiven: false, idempotencyKey: null, metadata: {} };
    const posting = { ...fields, ...legs, ...changes };
    const [answer] = await tenants.transaction(caller, (tx) => postBatch(tx, [posting]));
    return answer?.result;
  };
  const close = (): Promise<AccountView> => commands.execute(new CloseAccount(caller, { id: cash }));
  const reopen = (): Promise<AccountView> => commands.execute(new ReopenAccount(caller, { id: cash }));

  /** Until so many connections wait for a lock: nobody else uses this database. */
  async function waiting(wanted: number): Promise<void> {
    const find = `select 1 from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`;
    while ((await database.admin(find, [database.name])).length < wanted) await sleep(10);
  }

  it('refuse what is new on a closed account, and take it again on one that was reopened', async () => {
    expect(await post()).toBe('created');
    const closed = await close();
    expect(closed).toMatchObject({ revision: '2', version: '1', balances: { postedDebits: '5' } });
    expect(Date.parse(closed.closedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(closed.openedAt));
    expect(await post()).toBe('ledger.account_closed');
    expect(await post({ kind: 'hold' })).toBe('ledger.account_closed');
    expect(await reopen()).toMatchObject({ revision: '3', closedAt: null });
    expect(await post()).toBe('created');
  });

  it('let holds that are open end on a closed account', async () => {
    const [first, second] = [newId(), newId()];
    for (const id of [first, second]) await post({ kind: 'hold', id, idGiven: true });
    await close();
    const ending = { debitAccountId: null, creditAccountId: null, amount: 0n };
    expect(await post({ ...ending, kind: 'post', targetId: first })).toBe('created');
    expect(await post({ ...ending, kind: 'void', targetId: second })).toBe('created');
  });

  it('answer the same account when there is nothing to do, and announce each change once', async () => {
    const closed = await close();
    expect(await close()).toEqual(closed);
    const open = await reopen();
    expect(await reopen()).toEqual(open);
    const events = await database.admin(
      'select type, stream_type, stream_version::int, data from events.log where stream_id = $1 order by seq',
      [cash],
    );
    const stream = { stream_type: 'ledger.account', data: {} };
    expect(events).toEqual([
      { ...stream, type: 'ledger.account.closed', stream_version: 2 },
      { ...stream, type: 'ledger.account.reopened', stream_version: 3 },
    ]);
  });

  it('wait for a posting that is under way, whose entry is before the close', async () => {
    const ordered = await tenants.transaction(caller, async (tx) => {
      // The posting has the lock of one account, and waits here for that of the other.
      await lockAccount(tx, sales);
      const booked = post();
      await waiting(1);
      const closed = close();
      await waiting(2);
      return { booked, closed };
    });
    expect(await ordered.booked).toBe('created');
    expect(await ordered.closed).toMatchObject({ version: '1', balances: { postedDebits: '5' } });
  });

  it('are waited for by a posting, which then sees the account closed', async () => {
    const ordered = await tenants.transaction(caller, async (tx) => {
      await updateAccount(tx, cash, { isClosed: true, metadata: {} });
      const booked = post();
      await waiting(1);
      return { booked };
    });
    expect(await ordered.booked).toBe('ledger.account_closed');
  });

  it('know no account of another tenant', async () => {
    caller = await database.caller();
    await expect(close()).rejects.toThrow(NotFound);
    await expect(reopen()).rejects.toThrow(NotFound);
  });
});
