import { fixtureMade } from '@holdfast/testing';
import { newId, NotFound } from '@holdfast/kernel';
import { LedgerApp } from '../../test/ledger-app';
import type { Posting } from '../posting/post-batch.sql';
import type { AccountView } from './account';
import { lockAccount, updateAccount } from './accounts.sql';
import { CloseAccount, ReopenAccount } from './close-account.command';

describe('CloseAccount and ReopenAccount', () => {
  let app: LedgerApp;
  let cash: string;
  let sales: string;

  beforeAll(async () => void (app = await LedgerApp.start()));
  beforeEach(async () => {
    await app.enter();
    [cash, sales] = [await app.open(), await app.open()];
  });
  afterAll(() => app.close());

  const post = async (changes: Partial<Posting> = {}): Promise<string | undefined> =>
    (await app.book({ debitAccountId: cash, creditAccountId: sales, amount: 5n, ...changes }))[0];
  const close = (): Promise<AccountView> => app.commands.execute(new CloseAccount(app.caller, { id: cash }));
  const reopen = (): Promise<AccountView> =>
    app.commands.execute(new ReopenAccount(app.caller, { id: cash }));

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
    const events = await app.database.admin(
      'select type, stream_type, stream_version::int, data from events.log where stream_id = $1 order by seq',
      [cash],
    );
    const stream = { stream_type: 'ledger.account', data: {} };
    expect(events).toEqual([
      expect.objectContaining({ type: 'ledger.account.opened', stream_version: 1 }),
      { ...stream, type: 'ledger.account.closed', stream_version: 2 },
      { ...stream, type: 'ledger.account.reopened', stream_version: 3 },
    ]);
  });

  it('wait for a posting that is under way, whose entry is before the close', async () => {
    const ordered = await app.tenants.transaction(app.caller, async (tx) => {
      // The posting has the lock of one account, and waits here for that of the other.
      await lockAccount(tx, sales);
      const booked = post();
      await app.untilWaiting(1);
      const closed = close();
      await app.untilWaiting(2);
      return { booked, closed };
    });
    expect(await ordered.booked).toBe('created');
    expect(await ordered.closed).toMatchObject({ version: '1', balances: { postedDebits: '5' } });
  });

  it('are waited for by a posting, which then sees the account closed', async () => {
    const ordered = await app.tenants.transaction(app.caller, async (tx) => {
      await updateAccount(tx, cash, { isClosed: true, metadata: {} });
      await tx.announce(fixtureMade());
      const booked = post();
      await app.untilWaiting(1);
      return { booked };
    });
    expect(await ordered.booked).toBe('ledger.account_closed');
  });

  it('know no account of another tenant', async () => {
    await app.enter();
    await expect(close()).rejects.toThrow(NotFound);
    await expect(reopen()).rejects.toThrow(NotFound);
  });
});
