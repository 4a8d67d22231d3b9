import { newId } from '@holdfast/kernel';
import { fresh, LedgerApp } from '../../test/ledger-app';
import { TransferById } from './transfer-by-id.query';

describe('PostHold', () => {
  let ledger: LedgerApp;
  let cash: string;
  let wallet: string;

  beforeAll(async () => void (ledger = await LedgerApp.start()));
  beforeEach(async () => {
    await ledger.enter();
    cash = await ledger.open();
    wallet = await ledger.open({ normalBalance: 'credit', limit: 'debits_must_not_exceed_credits' });
  });
  afterAll(() => ledger.close());

  const hold = (fields: object = {}): ReturnType<LedgerApp['hold']> =>
    ledger.hold({ debitAccountId: cash, creditAccountId: wallet, amount: '100', ...fields });

  it('posts a part of what is held and gives the rest back; both transfers then name each other', async () => {
    const held = await hold({ timeoutSeconds: 3_600, metadata: { order: 7 } });
    expect(held).toMatchObject({ kind: 'hold', status: 'pending', amount: '100', endedById: null });
    expect(Date.parse(held.expiresAt ?? '') - Date.parse(held.bookedAt)).toBe(3_600_000);
    expect((await ledger.account(cash)).balances).toMatchObject({ postedDebits: '0', pendingDebits: '100' });

    const posted = await ledger.post(held.id, { amount: '60', metadata: { parcel: 1 } });
    expect(posted).toMatchObject({
      ...{ kind: 'post', status: 'posted', targetId: held.id, amount: '60', debitAccountId: cash },
      ...{ creditAccountId: wallet, asset: 'EUR/2', metadata: { parcel: 1 }, expiresAt: null },
    });
    expect((await ledger.account(cash)).balances).toMatchObject({ postedDebits: '60', pendingDebits: '0' });
    const read = (id: string): Promise<object> =>
      ledger.queries.execute(new TransferById(ledger.caller, { id }));
    expect(await read(held.id)).toEqual({ ...held, status: 'posted', endedById: posted.id });
    expect(await read(posted.id)).toEqual(posted);
  });

  it('ends a hold once: everything later is told how', async () => {
    const held = await hold();
    expect(await ledger.post(held.id)).toMatchObject({ amount: '100' });
    await expect(ledger.post(held.id)).rejects.toMatchObject({ code: 'ledger.hold_posted' });
    await expect(ledger.void(held.id)).rejects.toMatchObject({ code: 'ledger.hold_posted' });
  });

  it('answers a repeated key as at first, also for the hold that has ended since', async () => {
    const key = fresh();
    const fields = { debitAccountId: cash, creditAccountId: wallet, pending: true };
    const held = await ledger.transfer(fields, key);
    const posting = fresh();
    const posted = await ledger.post(held.id, {}, posting);
    expect(await ledger.transfer(fields, key)).toEqual(held);
    expect(await ledger.post(held.id, {}, posting)).toEqual(posted);
    expect([key.replayed, posting.replayed]).toEqual([true, true]);
    const other = await hold();
    await expect(ledger.post(other.id, {}, posting)).rejects.toMatchObject({
      code: 'idempotency.key_reused',
    });
    await expect(ledger.post(held.id, { amount: '5' }, posting)).rejects.toMatchObject({
      code: 'idempotency.key_reused',
    });
  });

  it('refuses more than is held, and what is no hold', async () => {
    const held = await hold();
    await expect(ledger.post(held.id, { amount: '101' })).rejects.toMatchObject({
      code: 'ledger.exceeds_hold',
    });
    const { id } = await ledger.transfer({ debitAccountId: cash, creditAccountId: wallet });
    for (const target of [id, newId()])
      await expect(ledger.post(target)).rejects.toMatchObject({
        code: 'ledger.hold_not_found',
        kind: 'not_found',
      });
    await ledger.enter();
    await expect(ledger.post(held.id)).rejects.toMatchObject({ code: 'ledger.hold_not_found' });
  });

  it('keeps what is held from being spent twice', async () => {
    await ledger.transfer({ debitAccountId: cash, creditAccountId: wallet, amount: '100' });
    const spend = { debitAccountId: wallet, creditAccountId: cash, amount: '60' };
    const held = await ledger.hold(spend);
    await expect(ledger.transfer(spend)).rejects.toMatchObject({ code: 'ledger.exceeds_credits' });
    await ledger.post(held.id);
    expect(await ledger.transfer({ ...spend, amount: '40' })).toMatchObject({ status: 'posted' });
  });
});
