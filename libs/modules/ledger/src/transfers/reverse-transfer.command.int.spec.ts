import { fresh, LedgerApp } from '../../test/ledger-app';
import { TransferById } from './transfer-by-id.query';

describe('ReverseTransfer', () => {
  let ledger: LedgerApp;
  let cash: string;
  let wallet: string;

  beforeAll(async () => void (ledger = await LedgerApp.start()));
  beforeEach(async () => {
    await ledger.enter();
    [cash, wallet] = [await ledger.open(), await ledger.open()];
  });
  afterAll(() => ledger.close());

  it('makes a transfer the other way round, once, and links both', async () => {
    const posted = await ledger.transfer({ debitAccountId: cash, creditAccountId: wallet, amount: '70' });
    const key = fresh();
    const reversal = await ledger.reverse(posted.id, { effectiveDate: '2026-01-31' }, key);
    expect(reversal).toMatchObject({
      ...{
        kind: 'reversal',
        status: 'posted',
        targetId: posted.id,
        amount: '70',
        effectiveDate: '2026-01-31',
      },
      ...{ debitAccountId: wallet, creditAccountId: cash, metadata: {} },
    });
    const read = await ledger.queries.execute(new TransferById(ledger.caller, { id: posted.id }));
    expect(read).toEqual({ ...posted, reversedById: reversal.id });
    expect((await ledger.account(cash)).balances).toMatchObject({ postedDebits: '70', postedCredits: '70' });
    await expect(ledger.reverse(posted.id)).rejects.toMatchObject({ code: 'ledger.already_reversed' });
    expect(await ledger.reverse(posted.id, { effectiveDate: '2026-01-31' }, key)).toEqual(reversal);
  });

  it('reverses what posted a hold, and neither the hold nor a reversal', async () => {
    const held = await ledger.hold({ debitAccountId: cash, creditAccountId: wallet, amount: '9' });
    await expect(ledger.reverse(held.id)).rejects.toMatchObject({ code: 'ledger.not_reversible' });
    const posted = await ledger.post(held.id);
    const reversal = await ledger.reverse(posted.id);
    await expect(ledger.reverse(reversal.id)).rejects.toMatchObject({ code: 'ledger.not_reversible' });
    await expect(ledger.reverse(cash)).rejects.toMatchObject({ code: 'ledger.transfer_not_found' });
  });
});
