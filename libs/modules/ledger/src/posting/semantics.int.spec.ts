import { type Caller, newId } from '@holdfast/kernel';
import { TestLedger } from '../../test/test-ledger';
import type { OpenAccountInput } from '../accounts/account';
import { openOwnedAccount } from '../accounts/owned-accounts.sql';
import type { Posting, PostingKind, PostingResult, PostingTerms } from './post-batch.sql';

const TOTAL_MAX = 9_223_372_036_854_775_807n;

// Each test is a row of the table in the module's README, which semantics.spec.ts compares with these titles.
describe('The ledger', () => {
  let ledger: TestLedger;
  let caller: Caller;
  let cash: string;
  let sales: string;
  let wallet: string;

  beforeAll(async () => void (ledger = await TestLedger.start()));
  beforeEach(async () => {
    caller = await ledger.database.caller();
    cash = await open();
    sales = await open({ normalBalance: 'credit' });
    wallet = await open({ normalBalance: 'credit', limit: 'debits_must_not_exceed_credits' });
  });
  afterEach(() => ledger.moveClock(0));
  afterAll(() => ledger.close());

  const open = (account: Partial<OpenAccountInput> = {}): Promise<string> => ledger.open(caller, account);

  const post = (...items: Partial<Posting>[]): Promise<PostingResult[]> =>
    ledger.post(caller, [cash, sales], ...items);

  const results = async (...items: Partial<Posting>[]): Promise<string[]> =>
    (await post(...items)).map(({ result }) => result);

  /** Posts one and answers its id. */
  const made = async (item: Partial<Posting> = {}): Promise<string> => {
    const [answer] = await post(item);
    expect(answer).toMatchObject({ result: 'created' });
    return answer?.id ?? '';
  };

  const hold = (item: Partial<Posting> = {}): Promise<string> => made({ kind: 'hold', ...item });

  const end = (kind: PostingKind, targetId: string, amount = 0n): Partial<Posting> => ({
    ...{ kind, targetId, debitAccountId: null, creditAccountId: null, amount },
    terms: amount > 0n ? { amount: String(amount) } : null,
  });

  const toWallet = (amount: bigint): Partial<Posting> => ({ creditAccountId: wallet, amount });
  const fromWallet = (amount: bigint, terms: PostingTerms | null = null): Partial<Posting> => ({
    ...{ debitAccountId: wallet, amount, terms },
  });

  /** Posted and pending debits, posted and pending credits, and the version. */
  const totals = async (id: string): Promise<string> => {
    const [row] = await ledger.database.admin<{ totals: string }>(
      `select concat_ws(' ', posted_debits, pending_debits, posted_credits, pending_credits, version) as totals
       from ledger.accounts where id = $1`,
      [id],
    );
    return row?.totals ?? '';
  };

  const close = (id: string, isClosed = true): Promise<unknown> =>
    ledger.database.admin(
      'update ledger.accounts set closed_at = case when $2 then now() end where id = $1',
      [...[id, isClosed]],
    );

  const stopClock = (at: string): Promise<unknown> =>
    ledger.database.admin(
      `create or replace function ledger.clock() returns timestamptz language sql volatile as $$ select ${at} $$`,
    );

  const closePeriod = (through: string): Promise<unknown> =>
    ledger.database.admin('insert into ledger.books (tenant_id, closed_through) values ($1, $2)', [
      ...[caller.tenantId, through],
    ]);

  it('debits one account and credits another', async () => {
    await made({ amount: 30n });
    expect([await totals(cash), await totals(sales)]).toEqual(['30 0 0 0 1', '0 0 30 0 1']);
    expect(await results({ creditAccountId: cash }, { creditAccountId: newId() })).toEqual([
      ...['ledger.accounts_must_differ', 'ledger.account_not_found'],
    ]);
  });

  it('keeps assets apart, each with a scale of its own', async () => {
    const yen = [await open({ asset: 'JPY/0' }), await open({ asset: 'JPY/0' })] as const;
    const [answer] = await post({ debitAccountId: yen[0], creditAccountId: yen[1] });
    expect(answer).toMatchObject({ result: 'created', asset: 'JPY/0' });
    expect(await results({ creditAccountId: yen[0] })).toEqual(['ledger.asset_mismatch']);
  });

  it('counts to 2^63-1 without rounding, and refuses what goes beyond', async () => {
    expect(
      await results({ amount: TOTAL_MAX - 1n }, {}, { amount: 1n }, { amount: 1n, kind: 'hold' }),
    ).toEqual([...['created', 'ledger.overflow', 'created', 'ledger.overflow']]);
    expect(await totals(cash)).toBe(`${TOTAL_MAX} 0 0 0 2`);
  });

  it('posts the items of a batch in order, each seeing those before it', async () => {
    expect(await results(fromWallet(5n), toWallet(5n), fromWallet(5n), fromWallet(1n))).toEqual([
      ...['ledger.exceeds_credits', 'created', 'created', 'ledger.exceeds_credits'],
    ]);
  });

  it('leaves the other items of a batch alone when it refuses one', async () => {
    expect(await results({}, fromWallet(1n), {})).toEqual(['created', 'ledger.exceeds_credits', 'created']);
    expect(await totals(cash)).toBe('200 0 0 0 2');
  });

  it('posts linked items together or not at all', async () => {
    const held = await hold();
    const chain = [{}, end('post', held), toWallet(5n)].map((item) => ({
      ...item,
      terms: { linked: true } as const,
    }));
    const before = [await totals(cash), await totals(sales), await totals(wallet)];
    expect(await results(...chain, fromWallet(6n))).toEqual([
      ...Array.from({ length: 3 }, () => 'ledger.linked_item_failed'),
      'ledger.exceeds_credits',
    ]);
    expect([await totals(cash), await totals(sales), await totals(wallet)]).toEqual(before);
    expect(await results(...chain, fromWallet(5n))).toEqual(Array.from({ length: 4 }, () => 'created'));
  });

  it('fails a chain in which an item is known', async () => {
    const known = { id: await made({ idGiven: true }), idGiven: true };
    expect(await results({ terms: { linked: true } }, known)).toEqual([
      'ledger.linked_item_failed',
      'exists',
    ]);
  });

  it('limits an account by its other side, pending amounts included', async () => {
    const till = await open({ limit: 'credits_must_not_exceed_debits' });
    await made(toWallet(10n));
    // What is pending on the other side counts for nothing.
    await hold(toWallet(90n));
    expect(await results({ kind: 'hold', ...fromWallet(8n) }, fromWallet(3n), fromWallet(2n))).toEqual([
      ...['created', 'ledger.exceeds_credits', 'created'],
    ]);
    expect(await results({ creditAccountId: till, debitAccountId: sales })).toEqual([
      'ledger.exceeds_debits',
    ]);
  });

  it('holds an amount on both accounts until it is posted or voided', async () => {
    const [first, second] = [await hold(), await hold({ amount: 7n })];
    expect([await totals(cash), await totals(sales)]).toEqual(['0 107 0 0 2', '0 0 0 107 2']);
    expect(await results(end('post', first), end('void', second))).toEqual(['created', 'created']);
    expect([await totals(cash), await totals(sales)]).toEqual(['100 0 0 0 4', '0 0 100 0 4']);
  });

  it('posts a part of a hold and gives the rest back', async () => {
    const held = await hold();
    expect(await results(end('post', held, 101n), end('post', held, 30n), end('post', held, 1n))).toEqual([
      ...['ledger.exceeds_hold', 'created', 'ledger.hold_posted'],
    ]);
    expect(await totals(cash)).toBe('30 0 0 0 2');
  });

  it('ends a hold once', async () => {
    const [voided, posted] = [await hold(), await hold()];
    expect(
      await results(
        ...[end('void', voided), end('post', voided), end('void', voided)],
        ...[end('post', posted), end('void', posted), end('post', newId()), end('void', await made())],
      ),
    ).toEqual([
      ...['created', 'ledger.hold_voided', 'ledger.hold_voided', 'created', 'ledger.hold_posted'],
      ...['ledger.hold_not_found', 'ledger.hold_not_found'],
    ]);
  });

  it('leaves what a part of the system owns to that part alone', async () => {
    const desk = await ledger.database.part('desk', caller.tenantId);
    const owned = { id: newId(), code: 'desk', asset: 'EUR/2', owner: 'desk' };
    await expect(ledger.tenants.transaction(caller, (tx) => openOwnedAccount(tx, owned))).rejects.toThrow(
      'only desk opens accounts that it owns',
    );
    await ledger.tenants.transaction(desk, (tx) => openOwnedAccount(tx, owned));
    const over = { creditAccountId: owned.id };
    const theirs = (item: Partial<Posting>): Partial<Posting> => ({ ...over, ...item, caller: desk });
    const [transfer, held] = [newId(), newId()];
    expect(await results(over, { ...over, kind: 'hold' })).toEqual(Array(2).fill('ledger.account_reserved'));
    expect(await results(theirs({ id: transfer }), theirs({ id: held, kind: 'hold' }), over, {})).toEqual([
      'created',
      'created',
      'ledger.account_reserved',
      'created',
    ]);
    const ends = [end('reversal', transfer), end('post', held), end('void', held), end('expiry', held)];
    expect(await results(...ends)).toEqual([
      ...Array<string>(3).fill('ledger.account_reserved'),
      'ledger.hold_not_due',
    ]);
    expect(await results({ ...end('post', held), caller: desk })).toEqual(['created']);
    expect(await totals(owned.id)).toBe('0 0 200 0 3');
  });

  it('lets a hold expire at its time, whether or not it is swept', async () => {
    const terms = { timeout_seconds: 60 };
    const [early, late, swept] = [await hold({ terms }), await hold({ terms }), await hold({ terms })];
    expect(await results(end('expiry', early), end('post', early))).toEqual([
      'ledger.hold_not_due',
      'created',
    ]);
    await ledger.moveClock(61);
    expect(
      await results(end('post', late), end('void', late), end('expiry', swept), end('void', swept)),
    ).toEqual([...['ledger.hold_expired', 'ledger.hold_expired', 'created', 'ledger.hold_expired']]);
    expect(await totals(cash)).toBe('100 100 0 0 5');
    // Its last microsecond is the one before.
    const [before, at] = await post({ kind: 'hold', terms }, { kind: 'hold', terms });
    await stopClock(`'${at?.expiresAt}'::timestamptz - interval '1 microsecond'`);
    expect(await results(end('post', before?.id ?? ''), end('expiry', at?.id ?? ''))).toEqual([
      ...['created', 'ledger.hold_not_due'],
    ]);
    await stopClock(`'${at?.expiresAt}'::timestamptz`);
    expect(await results(end('post', at?.id ?? ''))).toEqual(['ledger.hold_expired']);
  });

  it('ends holds on closed accounts, in a closed period and of a suspended tenant', async () => {
    const [posted, voided] = [await hold(), await hold()];
    await close(cash);
    await closePeriod('2099-12-31');
    await ledger.database.admin(
      `insert into auth.tenants (id, state) values ($1, 'suspended') on conflict (id) do update set state = 'suspended'`,
      [caller.tenantId],
    );
    expect(await results(end('post', posted), end('void', voided), {})).toEqual([
      ...['created', 'created', 'ledger.account_closed'],
    ]);
  });

  it('moves as much as is free when it balances, and at most the amount', async () => {
    await made(toWallet(50n));
    await hold(fromWallet(10n));
    const terms = { balancing: 'debit', amount: '100' } as const;
    const [first, second] = await post(fromWallet(100n, terms), fromWallet(100n, terms));
    expect(first).toMatchObject({ result: 'created', amount: 40n });
    expect(second).toMatchObject({ result: 'ledger.exceeds_credits' });
    const [least] = await post(toWallet(20n), {
      ...{ debitAccountId: sales, creditAccountId: cash, amount: 500n },
      terms: { balancing: 'both', amount: '500' },
    }).then((answers) => answers.slice(1));
    expect(least).toMatchObject({ result: 'created', amount: 40n });
  });

  it('leaves what an item asks to be left', async () => {
    await made(toWallet(50n));
    const leaving = (debit: string): PostingTerms => ({ min_balance_after: { debit } });
    expect(await results(fromWallet(30n, leaving('21')), fromWallet(30n, leaving('20')))).toEqual([
      ...['ledger.balance_below_minimum', 'created'],
    ]);
    const held = (debit: string): Partial<Posting> => ({ kind: 'hold', ...fromWallet(10n, leaving(debit)) });
    expect(await results(held('11'), held('10'))).toEqual(['ledger.balance_below_minimum', 'created']);
    expect(await results({ terms: { min_balance_after: { credit: '1000' } } })).toEqual([
      'ledger.balance_below_minimum',
    ]);
  });

  it('takes nothing on a closed account, and again once it is reopened', async () => {
    await close(sales);
    expect(await results({}, { kind: 'hold' }, { debitAccountId: sales, creditAccountId: cash })).toEqual(
      Array.from({ length: 3 }, () => 'ledger.account_closed'),
    );
    await close(sales, false);
    expect(await results({})).toEqual(['created']);
  });

  it('reverses a transfer once, by one that names it', async () => {
    const transfer = await made({ amount: 30n });
    const [posted] = await post(end('post', await hold()));
    const [reversed, again] = await post(end('reversal', transfer), end('reversal', transfer));
    expect(reversed).toMatchObject({
      result: 'created',
      amount: 30n,
      debitAccountId: sales,
      creditAccountId: cash,
    });
    expect(again).toMatchObject({ result: 'ledger.already_reversed' });
    const rows = await ledger.database.admin(
      'select id from ledger.transfers where target_id = $1 and refusal is null',
      [transfer],
    );
    expect(rows).toEqual([{ id: reversed?.id }]);
    expect(
      await results(
        ...[end('reversal', reversed?.id ?? ''), end('reversal', await hold()), end('reversal', newId())],
        end('reversal', posted?.id ?? ''),
      ),
    ).toEqual([
      ...['ledger.not_reversible', 'ledger.not_reversible', 'ledger.transfer_not_found', 'created'],
    ]);
  });

  it('treats a reversal as a transfer: limits, closed accounts and periods stand against it', async () => {
    const paid = await made(toWallet(10n));
    await made(fromWallet(5n));
    await closePeriod('2026-01-31');
    const dated = (targetId: string): Partial<Posting> => ({
      ...end('reversal', targetId),
      terms: { effective_date: '2026-01-31' },
    });
    expect(await results(end('reversal', paid), dated(await made()))).toEqual([
      ...['ledger.exceeds_credits', 'ledger.period_closed'],
    ]);
  });

  it('counts a transfer for its effective date, which a closed period refuses', async () => {
    await closePeriod('2026-01-31');
    const on = (date: string): Partial<Posting> => ({ terms: { effective_date: date } });
    const [closed, free, today] = await post(on('2026-01-31'), on('2026-02-01'), {});
    expect(closed).toMatchObject({ result: 'ledger.period_closed' });
    expect(free).toMatchObject({ result: 'created', effectiveDate: '2026-02-01' });
    expect(today?.effectiveDate).toBe(today?.bookedAt?.slice(0, 10));
  });

  it('keeps metadata as they came, and looks at them for nothing but sameness', async () => {
    const metadata = { order: '2026-114', lines: [1, { deep: 'ä"\\' }] };
    const id = await made({ idGiven: true, metadata });
    const rows = await ledger.database.admin('select metadata from ledger.transfers where id = $1', [id]);
    expect(rows).toEqual([{ metadata }]);
    const other = { lines: metadata.lines, order: metadata.order };
    expect(await results({ id, idGiven: true, metadata: other }, { id, idGiven: true })).toEqual([
      ...['exists', 'ledger.exists_with_different_metadata'],
    ]);
  });

  it('gives an id one effect, and answers again what came of it', async () => {
    const item = { id: newId(), idGiven: true };
    const [first] = await post(item);
    expect(await post(item)).toEqual([{ ...first, result: 'exists', replayed: true }]);
    expect(await results(item, item)).toEqual(['exists', 'exists']);
    expect(await totals(cash)).toBe('100 0 0 0 1');
  });

  it('names the field in which a request under a known id differs', async () => {
    const terms: PostingTerms = { balancing: 'debit', amount: '100', min_balance_after: { debit: '0' } };
    const known = {
      id: newId(),
      idGiven: true,
      kind: 'hold',
      ...fromWallet(100n, { ...terms, timeout_seconds: 60 }),
    } as const;
    await made(toWallet(100n));
    await post(known);
    const id = await made({ ...end('void', await hold()), idGiven: true });
    const changes: [string, Partial<Posting>][] = [
      ['kind', { kind: 'transfer' }],
      ['debit_account_id', { debitAccountId: cash }],
      ['credit_account_id', { creditAccountId: cash }],
      ['amount', { amount: 99n, terms: { ...terms, amount: '99', timeout_seconds: 60 } }],
      ['balancing', { terms: { ...terms, balancing: 'both', timeout_seconds: 60 } }],
      ['effective_date', { terms: { ...terms, effective_date: '2026-01-01', timeout_seconds: 60 } }],
      ['min_balance_after', { terms: { ...terms, min_balance_after: { debit: '1' }, timeout_seconds: 60 } }],
      ['timeout_seconds', { terms: { ...terms, timeout_seconds: 61 } }],
      ['metadata', { metadata: { note: 'another' } }],
      ['target_id', { id, ...end('void', newId()) }],
    ];
    expect(await results(...changes.map(([, change]) => ({ ...known, ...change })))).toEqual(
      changes.map(([field]) => `ledger.exists_with_different_${field}`),
    );
    expect(await results({ ...known, terms: { ...known.terms, linked: true } }, {})).toEqual([
      ...['ledger.exists_with_different_linked', 'ledger.linked_item_failed'],
    ]);
  });

  it('refuses a refused id for ever, also when the money has arrived', async () => {
    const spend = { id: newId(), idGiven: true, ...fromWallet(10n) };
    expect(await results(spend, toWallet(10n), spend)).toEqual([
      ...['ledger.exceeds_credits', 'created', 'ledger.exceeds_credits'],
    ]);
    expect(await post(spend)).toMatchObject([{ result: 'ledger.exceeds_credits', replayed: true }]);
    expect(await results({ ...spend, id: newId() })).toEqual(['created']);
  });

  it('takes the first of equal ids in one batch', async () => {
    const item = { id: newId(), idGiven: true };
    expect(await results(item, item, { ...item, amount: 1n })).toEqual([
      ...['created', 'exists', 'ledger.exists_with_different_amount'],
    ]);
  });

  it('gives an idempotency key one effect, and refuses another request under it', async () => {
    const item = { idempotencyKey: newId() };
    expect(await results(item, item, { ...item, amount: 1n }, { ...item, idGiven: true })).toEqual([
      ...['created', 'exists', 'idempotency.key_reused', 'idempotency.key_reused'],
    ]);
  });
});
