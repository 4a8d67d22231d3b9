import { LedgerApp } from '../../test/ledger-app';
import { TransferById } from './transfer-by-id.query';

describe('VoidHold', () => {
  let ledger: LedgerApp;

  beforeAll(async () => void (ledger = await LedgerApp.start()));
  beforeEach(() => ledger.enter());
  afterAll(() => ledger.close());

  it('gives back what is held, once', async () => {
    const [cash, wallet] = [await ledger.open(), await ledger.open()];
    const held = await ledger.hold({ debitAccountId: cash, creditAccountId: wallet, amount: '100' });
    const voided = await ledger.void(held.id, { metadata: { reason: 'changed their mind' } });
    expect(voided).toMatchObject({
      ...{ kind: 'void', status: 'voided', targetId: held.id, amount: '100', debitAccountId: cash },
      ...{ creditAccountId: wallet, metadata: { reason: 'changed their mind' } },
    });
    expect((await ledger.account(cash)).balances).toMatchObject({ postedDebits: '0', pendingDebits: '0' });
    const read = await ledger.queries.execute(new TransferById(ledger.caller, { id: held.id }));
    expect(read).toEqual({ ...held, status: 'voided', endedById: voided.id });
    await expect(ledger.post(held.id)).rejects.toMatchObject({ code: 'ledger.hold_voided' });
  });
});
