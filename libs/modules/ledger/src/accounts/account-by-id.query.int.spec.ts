import { LedgerApp } from '../../test/ledger-app';
import { plainPosting } from '../../test/test-ledger';
import type { Posting } from '../posting/post-batch.sql';
import type { AccountView } from './account';
import { AccountById } from './account-by-id.query';
import { AccountEntries, type EntryView } from './account-entries.query';
import { TrialBalance, type TrialBalanceView } from './trial-balance.query';

const ZEROS = { postedDebits: '0', postedCredits: '0', pendingDebits: '0', pendingCredits: '0' };
const MICROSECOND = 1n;

describe('Balances at past instants', () => {
  let app: LedgerApp;
  let accounts: string[];

  beforeAll(async () => {
    app = await LedgerApp.start();
    await app.enter();
    accounts = [await app.open(), await app.open(), await app.open()];
    for (let round = 0; round < 12; round += 1) await app.book(...roundOf(round));
  });
  afterAll(() => app.close());

  const posting = (changes: Partial<Posting>): Posting =>
    plainPosting(app.caller, { idGiven: true, ...changes });
  const between = (from: number, to: number): Pick<Posting, 'debitAccountId' | 'creditAccountId'> => ({
    debitAccountId: accounts[from % 3] ?? null,
    creditAccountId: accounts[to % 3] ?? null,
  });

  /** One of each kind, in one batch, which is booked at one instant; and a refused one, which is none. */
  function roundOf(round: number): Posting[] {
    const transfer = posting({ ...between(round, round + 1), amount: 100n });
    const [posted, voided] = [1, 2].map((offset) =>
      posting({ ...between(round + offset, round), kind: 'hold', amount: 30n }),
    );
    return [
      transfer,
      ...[posted, voided].flatMap((hold) => hold ?? []),
      posting({ kind: 'post', targetId: posted?.id ?? null, amount: 7n }),
      posting({ kind: 'void', targetId: voided?.id ?? null }),
      posting({ kind: 'reversal', targetId: transfer.id }),
      posting({ ...between(round, round), amount: 1n }),
      posting({ ...between(round, round + 2), kind: 'hold', amount: 5n }),
    ];
  }

  const read = (id: string, at?: string): Promise<AccountView> =>
    app.queries.execute(new AccountById(app.caller, { id, at }));
  const trialBalance = (at?: string): Promise<TrialBalanceView> =>
    app.queries.execute(new TrialBalance(app.caller, { at }));
  const entriesOf = async (accountId: string): Promise<readonly EntryView[]> =>
    (await app.queries.execute(new AccountEntries(app.caller, { accountId, limit: 200 }))).data;

  const microsOf = (instant: string): bigint =>
    BigInt(Date.parse(instant)) * 1_000n + BigInt(instant.slice(23, 26));
  const instantOf = (micros: bigint): string =>
    `${new Date(Number(micros / 1_000n)).toISOString().slice(0, 23)}${String(micros % 1_000n).padStart(3, '0')}Z`;

  it('are those that the last entry before left, at every instant and the microsecond before and behind it', async () => {
    const entries = await Promise.all(accounts.map(entriesOf));
    const booked = [...new Set(entries.flat().map(({ bookedAt }) => bookedAt))].toSorted();
    expect(booked.length).toBeGreaterThanOrEqual(12);
    const kinds = new Set(entries.flat().map(({ kind }) => kind));
    expect(kinds).toEqual(new Set(['transfer', 'hold', 'post', 'void', 'reversal']));
    const instants = booked.flatMap((instant) =>
      [-MICROSECOND, 0n, MICROSECOND].map((offset) => instantOf(microsOf(instant) + offset)),
    );
    for (const [place, id] of accounts.entries())
      for (const at of instants) {
        const last = entries[place]?.find(({ bookedAt }) => bookedAt <= at);
        const { balances, version } = await read(id, at);
        expect([at, version, balances]).toEqual([at, last?.version ?? '0', last?.balancesAfter ?? ZEROS]);
      }
  });

  it('are those of now at an instant behind the last entry, and zeros before the first', async () => {
    const { now } = (await app.database.admin<{ now: Date }>('select clock_timestamp() as now'))[0] ?? {};
    for (const id of accounts) {
      expect(await read(id, now?.toISOString())).toEqual(await read(id));
      expect(await read(id, '2020-01-01T00:00:00Z')).toMatchObject({ version: '0', balances: ZEROS });
    }
  });

  it('add up to the trial balance of the same instant', async () => {
    const booked = new Set(
      (await Promise.all(accounts.map(entriesOf))).flat().map(({ bookedAt }) => bookedAt),
    );
    for (const at of booked) {
      const views = await Promise.all(accounts.map((id) => read(id, at)));
      const sum = (name: keyof AccountView['balances']): string =>
        String(views.reduce((total, { balances }) => total + BigInt(balances[name]), 0n));
      const totals = {
        postedDebits: sum('postedDebits'),
        postedCredits: sum('postedCredits'),
        pendingDebits: sum('pendingDebits'),
        pendingCredits: sum('pendingCredits'),
      };
      expect((await trialBalance(at)).data).toEqual([
        { asset: 'EUR/2', ...totals, accounts: 3, balanced: true },
      ]);
    }
    expect(await trialBalance('2020-01-01T00:00:00Z')).toEqual({ data: [] });
  });

  it('are refused of an instant that has not come', async () => {
    const at = new Date(Date.now() + 3_600_000).toISOString();
    const refusal = { code: 'request.invalid', errors: [{ pointer: '/at', code: 'in_future' }] };
    await expect(read(accounts[0] ?? '', at)).rejects.toMatchObject(refusal);
    await expect(trialBalance(at)).rejects.toMatchObject(refusal);
  });

  it('are of no account of another tenant', async () => {
    const other = await app.database.caller();
    const query = new AccountById(other, { id: accounts[0] ?? '', at: '2026-01-01T00:00:00Z' });
    await expect(app.queries.execute(query)).rejects.toMatchObject({ code: 'resource.not_found' });
  });
});
