import { newId } from '@holdfast/kernel';
import { LedgerApp } from '../../test/ledger-app';
import type { TransferView } from './transfer';
import { transfersInput } from './transfer-filter';
import { Transfers } from './transfers.query';

describe('Transfers', () => {
  let ledger: LedgerApp;
  let cash: string;
  let wallet: string;
  let fee: string;
  /** In the order of booking: a transfer, a hold that is open, and one of each end and its hold, and a reversal. */
  let all: TransferView[];

  beforeAll(async () => {
    ledger = await LedgerApp.start();
    await ledger.enter();
    [cash, wallet, fee] = [await ledger.open(), await ledger.open(), await ledger.open()];
    const pair = { debitAccountId: cash, creditAccountId: wallet };
    const transfer = await ledger.transfer({ ...pair, effectiveDate: '2026-01-31' });
    const open = await ledger.hold(pair);
    const [posted, voided] = [await ledger.hold(pair), await ledger.hold(pair)];
    const [post, back] = [await ledger.post(posted.id), await ledger.void(voided.id)];
    const reversal = await ledger.reverse(transfer.id);
    const other = await ledger.transfer({ debitAccountId: cash, creditAccountId: fee });
    all = [
      { ...transfer, reversedById: reversal.id },
      open,
      { ...posted, status: 'posted', endedById: post.id },
      { ...voided, status: 'voided', endedById: back.id },
      ...[post, back, reversal, other],
    ];
  });
  afterAll(() => ledger.close());

  /** All pages, and how many there were. */
  async function walk(filters: object, limit = 2, after?: string): Promise<[TransferView[], number]> {
    const input = transfersInput.parse({ limit, ...(after && { after }), ...filters });
    const { data, nextCursor } = await ledger.queries.execute(new Transfers(ledger.caller, input));
    if (nextCursor === null) return [[...data], 1];
    const [rest, pages] = await walk(filters, limit, nextCursor);
    return [[...data, ...rest], pages + 1];
  }

  /** What a filter has to bring, by the view of each. */
  const wanted = (keep: (transfer: TransferView) => boolean): TransferView[] => all.filter(keep).toReversed();

  it('shows what became of each, newest first', async () => {
    expect(await walk({})).toEqual([all.toReversed(), 4]);
  });

  it.each<[object, (transfer: TransferView) => boolean]>([
    [{ kind: 'hold' }, ({ kind }) => kind === 'hold'],
    [{ kind: 'expiry' }, () => false],
    [{ status: 'pending' }, ({ status }) => status === 'pending'],
    [{ status: 'voided' }, ({ status }) => status === 'voided'],
    [{ kind: 'hold', status: 'posted' }, ({ kind, status }) => kind === 'hold' && status === 'posted'],
    [{ effectiveTo: '2026-01-31' }, ({ effectiveDate }) => effectiveDate <= '2026-01-31'],
    [{ effectiveFrom: '2026-02-01' }, ({ effectiveDate }) => effectiveDate > '2026-01-31'],
  ])('filters by %j, of the tenant and of an account', async (filters, keep) => {
    expect((await walk(filters))[0]).toEqual(wanted(keep));
    const ofWallet = wanted((transfer) => keep(transfer) && transfer.creditAccountId !== fee);
    expect((await walk({ ...filters, accountId: wallet }))[0]).toEqual(ofWallet);
  });

  it('filters by time, the beginning included and the end not', async () => {
    const [from, to] = [all[2]!.bookedAt, all[6]!.bookedAt];
    const within = wanted(({ bookedAt }) => bookedAt >= from && bookedAt < to);
    expect(within).toHaveLength(4);
    for (const more of [{}, { accountId: cash }])
      expect((await walk({ from, to, ...more }))[0]).toEqual(within);
    expect(await walk({ from: '2099-01-01T00:00:00Z', accountId: cash })).toEqual([[], 1]);
    expect(await walk({ to: '2020-01-01T00:00:00Z', accountId: cash })).toEqual([[], 1]);
  });

  it('lists the transfers of an account, of either leg', async () => {
    expect((await walk({ accountId: fee }))[0]).toEqual(
      wanted(({ creditAccountId }) => creditAccountId === fee),
    );
    expect((await walk({ accountId: cash }))[0]).toEqual(all.toReversed());
    expect(await walk({ accountId: newId() })).toEqual([[], 1]);
  });

  it('keeps the cursor of one account from another', async () => {
    const page = (accountId: string, after?: string): Promise<{ readonly nextCursor: string | null }> =>
      ledger.queries.execute(
        new Transfers(ledger.caller, transfersInput.parse({ accountId, limit: 1, ...(after && { after }) })),
      );
    const { nextCursor } = await page(cash);
    await expect(page(wallet, nextCursor ?? '')).rejects.toMatchObject({ code: 'request.cursor_invalid' });
  });

  it('looks at some of very many on each page, and loses none behind them', async () => {
    const [one, other] = [await ledger.open(), await ledger.open()];
    const items = Array.from({ length: 4_100 }, () => ({
      ...{ id: newId(), debitAccountId: one, creditAccountId: other, amount: '1' },
    }));
    const rare = newId();
    const held = { id: rare, debitAccountId: one, creditAccountId: other, amount: '1', pending: true };
    await ledger.batch([...items.slice(0, 50), held, ...items.slice(50)]);
    for (const more of [{ accountId: one }, { from: all.at(-1)!.bookedAt }]) {
      const [found, pages] = await walk({ kind: 'hold', ...more });
      expect(found.map(({ id }) => id)).toEqual([rare]);
      expect(pages).toBe(3);
    }
  });
});
