import { type Caller, newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { TestDatabase } from '@holdfast/testing';
import { readGrant, type TenantDatabase } from '@holdfast/tenancy';
import type { OpenAccountInput } from '../accounts/account';
import { refusalOf } from '../ledger.errors';
import { transferPosted } from '../ledger.events';
import { PLAIN, postBatch, type Posting, type PostingResult } from './post-batch.sql';
import { storeAccount } from '../../test/stored-account';

/** As processes of the release before call it; it goes with the wrapper. */
const RELEASE_BEFORE = statement<{ result: string; id: string; replayed: boolean }>(
  'test.release_before',
  `select result, id, replayed from ledger.post_batch($1::uuid[], $2::boolean[], $3::uuid[], $4::uuid[], $5::uuid[],
     $6::bigint[], $7::jsonb[], $8::uuid[], $9::text[], $10::text[], $11::text[], $12::text[], $13::int[])
   order by place`,
);

describe('ledger.post_items', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let caller: Caller;
  let cash: string;
  let sales: string;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants(12);
  });
  beforeEach(async () => {
    caller = await database.caller();
    [cash, sales] = [await open(), await open()];
  });
  afterAll(() => database.drop());

  const open = (account: Partial<OpenAccountInput> = {}, by: Caller = caller): Promise<string> =>
    storeAccount(database, by.tenantId, account);

  const posting = (changes: Partial<Posting> = {}): Posting => ({
    caller,
    id: newId(),
    idGiven: false,
    idempotencyKey: null,
    debitAccountId: cash,
    creditAccountId: sales,
    amount: 100n,
    metadata: {},
    ...PLAIN,
    ...changes,
  });

  const post = (...postings: Posting[]): Promise<PostingResult[]> =>
    tenants.transaction(caller, (tx) => postBatch(tx, postings));

  const results = async (...postings: Posting[]): Promise<string[]> =>
    (await post(...postings)).map(({ result }) => result);

  const count = async (table: 'ledger.transfers' | 'events.log'): Promise<number> => {
    const [row] = await database.admin<{ rows: number }>(
      `select count(*)::int as rows from ${table} where tenant_id = $1`,
      [caller.tenantId],
    );
    return row!.rows;
  };

  const closeAccount = (id: string): Promise<unknown> =>
    database.admin('update ledger.accounts set closed_at = now() where id = $1', [id]);

  it('writes its events by hand as they are declared: the type, its latest version, its stream and its schema', async () => {
    const amounts = [1n, 2n ** 62n];
    await post(...amounts.map((amount) => posting({ amount, metadata: { any: 'thing' } })));
    const events = await database.admin<{
      type: string;
      schema_version: number;
      stream_type: string;
      data: object;
    }>('select type, schema_version, stream_type, data from events.log where tenant_id = $1', [
      caller.tenantId,
    ]);
    expect(events).toHaveLength(amounts.length);
    const { type, schemaVersion, streamType, schema } = transferPosted;
    for (const { data, ...event } of events) {
      expect(event).toEqual({ type, schema_version: schemaVersion, stream_type: streamType });
      expect(schema.parse(data)).toEqual(data);
    }
  });

  it('posts in order, counts versions on both accounts, and appends one event per transfer', async () => {
    const first = posting();
    const answers = await post(first, posting({ debitAccountId: sales, creditAccountId: cash, amount: 30n }));
    expect(answers).toMatchObject([
      {
        result: 'created',
        replayed: false,
        id: first.id,
        asset: 'EUR/2',
        debitVersion: 1n,
        creditVersion: 1n,
      },
      { result: 'created', debitVersion: 2n, creditVersion: 2n },
    ]);
    const events = await database.admin<{
      stream_id: string;
      actor: string;
      correlation_id: string;
      data: unknown;
    }>('select stream_id, actor, correlation_id, data from events.log where tenant_id = $1 order by seq', [
      caller.tenantId,
    ]);
    expect(events).toHaveLength(2);
    expect(events[0]).toMatchObject({
      stream_id: first.id,
      actor: 'system:test',
      correlation_id: caller.requestId,
    });
    expect(transferPosted.schema.parse(events[0]!.data)).toEqual({
      debitAccountId: cash,
      creditAccountId: sales,
      asset: 'EUR/2',
      amount: '100',
      debitVersion: '1',
      creditVersion: '1',
      bookedAt: answers[0]!.bookedAt,
    });
  });

  describe('refuses with', () => {
    it('ledger.accounts_must_differ', async () => {
      expect(await results(posting({ creditAccountId: cash }))).toEqual(['ledger.accounts_must_differ']);
    });

    it('ledger.account_not_found for an id that nobody has, on either side', async () => {
      const unknown = [posting({ debitAccountId: newId() }), posting({ creditAccountId: newId() })];
      expect(await results(...unknown)).toEqual(['ledger.account_not_found', 'ledger.account_not_found']);
    });

    it("ledger.account_not_found for another tenant's account", async () => {
      const foreign = await open({}, await database.caller());
      expect(await results(posting({ debitAccountId: foreign }))).toEqual(['ledger.account_not_found']);
    });

    it('ledger.account_closed', async () => {
      await closeAccount(sales);
      expect(await results(posting())).toEqual(['ledger.account_closed']);
    });

    it('ledger.asset_mismatch', async () => {
      expect(await results(posting({ creditAccountId: await open({ asset: 'USD/2' }) }))).toEqual([
        'ledger.asset_mismatch',
      ]);
    });

    it('ledger.overflow when a total would pass 2^63-1, and not when it reaches it', async () => {
      const largest = 9_223_372_036_854_775_807n;
      expect(await results(posting({ amount: largest }), posting({ amount: 1n }))).toEqual([
        'created',
        'ledger.overflow',
      ]);
    });

    it('ledger.exceeds_credits, seeing what earlier items of the batch have moved', async () => {
      const wallet = await open({ limit: 'debits_must_not_exceed_credits' });
      const spend = { debitAccountId: wallet, creditAccountId: sales };
      expect(
        await results(
          posting(spend),
          posting({ creditAccountId: wallet }),
          posting(spend),
          posting({ ...spend, amount: 1n }),
        ),
      ).toEqual(['ledger.exceeds_credits', 'created', 'created', 'ledger.exceeds_credits']);
    });

    it('ledger.exceeds_debits', async () => {
      const till = await open({ limit: 'credits_must_not_exceed_debits' });
      expect(await results(posting({ creditAccountId: till }))).toEqual(['ledger.exceeds_debits']);
    });

    it.each([
      ['debit_account_id', (): Partial<Posting> => ({ debitAccountId: sales, creditAccountId: cash })],
      ['credit_account_id', (): Partial<Posting> => ({ creditAccountId: newId() })],
      ['amount', (): Partial<Posting> => ({ amount: 101n })],
      ['metadata', (): Partial<Posting> => ({ metadata: { note: 'b' } })],
    ])('ledger.exists_with_different_%s', async (field, change) => {
      const original = posting();
      await post(original);
      const [refused] = await post({ ...original, ...change() });
      expect(refused).toMatchObject({ result: `ledger.exists_with_different_${field}`, replayed: false });
      expect(refusalOf(refused!.result)).toMatchObject({
        kind: 'refused',
        code: `ledger.exists_with_different_${field}`,
      });
    });

    it('idempotency.key_reused for a known key with other fields or another chosen id', async () => {
      const original = posting({ idempotencyKey: newId() });
      await post(original);
      const { idempotencyKey } = original;
      expect(
        await results(
          posting({ idempotencyKey, amount: 7n }),
          posting({ idempotencyKey, idGiven: true }),
          { ...original, idGiven: true },
          posting({ idempotencyKey, metadata: { note: 'b' } }),
        ),
      ).toEqual(Array(4).fill('idempotency.key_reused'));
    });

    it('idempotency.key_reused for another body under a key that came with a known id', async () => {
      const original = posting({ idGiven: true, idempotencyKey: newId() });
      const retry = { ...original, idempotencyKey: newId() };
      expect(await results(original, retry)).toEqual(['created', 'exists']);
      expect(
        await results(
          posting({ idempotencyKey: retry.idempotencyKey, amount: 999n }),
          posting({ idempotencyKey: retry.idempotencyKey }),
          { ...retry, amount: 999n },
          retry,
        ),
      ).toEqual([...Array(3).fill('idempotency.key_reused'), 'exists']);
      expect(await count('ledger.transfers')).toBe(1);
    });

    it('the same again, and nothing else, under a key that was refused for a known id', async () => {
      const original = posting({ idGiven: true });
      const other = { ...original, amount: 2n, idempotencyKey: newId() };
      await post(original);
      const refused = { result: 'ledger.exists_with_different_amount', replayed: false, id: original.id };
      expect(await post(other)).toMatchObject([refused]);
      expect(await post(other)).toMatchObject([{ ...refused, replayed: true }]);
      expect(
        await results(posting({ idempotencyKey: other.idempotencyKey, amount: 3n }), {
          ...original,
          idempotencyKey: other.idempotencyKey,
        }),
      ).toEqual(['idempotency.key_reused', 'idempotency.key_reused']);
      expect(await count('ledger.transfers')).toBe(1);
    });
  });

  describe('answers again', () => {
    it('with the original, for an equal key under a fresh id and for its id under any key', async () => {
      const original = posting({ idempotencyKey: newId(), metadata: { b: 1, a: [2] } });
      const [created] = await post(original);
      const replay = { ...created!, result: 'exists', replayed: true };
      expect(await post({ ...original, id: newId(), metadata: { a: [2], b: 1 } })).toEqual([replay]);
      expect(await post({ ...original, id: newId() })).toEqual([replay]);
      expect(await post({ ...original, idGiven: true, idempotencyKey: newId() })).toEqual([replay]);
      expect(await post({ ...original, idGiven: true, idempotencyKey: null })).toEqual([replay]);
      expect([await count('ledger.transfers'), await count('events.log')]).toEqual([1, 1]);
    });

    it('with the refusal, although the money is there by then', async () => {
      const wallet = await open({ limit: 'debits_must_not_exceed_credits' });
      const spend = posting({ debitAccountId: wallet, idempotencyKey: newId() });
      expect(await results(spend, posting({ creditAccountId: wallet }))).toEqual([
        'ledger.exceeds_credits',
        'created',
      ]);
      expect(await post({ ...spend, id: newId() }, { ...spend, id: newId() })).toMatchObject([
        { result: 'ledger.exceeds_credits', replayed: true },
        { result: 'ledger.exceeds_credits', replayed: true },
      ]);
    });

    it('to equal items of one batch, which take effect once, at the first', async () => {
      const item = posting({ idempotencyKey: newId(), idGiven: true });
      const refused = posting({ creditAccountId: cash, idGiven: true });
      expect(
        await results(item, item, { ...item, idempotencyKey: newId() }, refused, refused, {
          ...item,
          amount: 1n,
        }),
      ).toEqual([
        'created',
        'exists',
        'exists',
        'ledger.accounts_must_differ',
        'ledger.accounts_must_differ',
        'idempotency.key_reused',
      ]);
      expect(await count('events.log')).toBe(1);
    });
  });

  it('answers what the release before asks as it asks itself, and knows its ids and keys', async () => {
    const fresh = posting({ idempotencyKey: newId() });
    const asked = (ids: readonly string[]): Promise<{ result: string; id: string; replayed: boolean }[]> =>
      tenants.transaction(caller, (tx) =>
        tx.rows(RELEASE_BEFORE, [
          ...[ids, [false, true], [fresh.idempotencyKey, null], [cash, sales], [sales, cash], [100, 100]],
          ...[['{}', '{}'], ids.map(() => newId()), ['a', 'b'], [null, null], [null, null]],
          ...[[caller.grant], [1, 1]],
        ]),
      );
    const chosen = newId();
    const first = await asked([fresh.id, chosen]);
    expect(first).toEqual([
      { result: 'created', id: fresh.id, replayed: false },
      { result: 'created', id: chosen, replayed: false },
    ]);
    const again = [
      { result: 'exists', id: fresh.id, replayed: true },
      { result: 'exists', id: chosen, replayed: true },
    ];
    expect(await asked([newId(), chosen])).toEqual(again);
    const back = { debitAccountId: sales, creditAccountId: cash };
    expect(
      await post({ ...fresh, id: newId() }, posting({ ...back, id: chosen, idGiven: true })),
    ).toMatchObject(again);
  });

  describe('with callers of its own tenant', () => {
    it("carries each one's request, cause and trace to the event", async () => {
      const origins = [
        {
          requestId: 'first',
          causationId: newId(),
          traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        },
        { requestId: 'second, "quoted"', causationId: undefined, traceparent: undefined },
      ];
      await post(...origins.map((origin) => posting({ caller: { ...caller, ...origin } })));
      const events = await database.admin(
        'select correlation_id, causation_id, traceparent from events.log where tenant_id = $1 order by seq',
        [caller.tenantId],
      );
      expect(events).toEqual(
        origins.map(({ requestId, causationId, traceparent }) => ({
          correlation_id: requestId,
          causation_id: causationId ?? null,
          traceparent: traceparent ?? null,
        })),
      );
    });

    it("writes each one's actor on the refusal or the event", async () => {
      const other = await callerNamed('other');
      await post(posting(), posting({ caller: other }), posting({ creditAccountId: cash, caller: other }));
      const actors = (table: string): Promise<unknown> =>
        database.admin(
          `select actor, count(*)::int from ${table} where tenant_id = $1 group by 1 order by 1`,
          [caller.tenantId],
        );
      expect(await actors('ledger.transfers')).toEqual(
        expect.arrayContaining([{ actor: 'system:other', count: 1 }]),
      );
      expect(await actors('events.log')).toEqual([
        { actor: 'system:other', count: 1 },
        { actor: 'system:test', count: 1 },
      ]);
    });

    it('posts nothing when one grant is forged or of another tenant', async () => {
      const { grant } = caller;
      const forged = { ...caller, grant: grant.replace('system:test', 'system:root') };
      expect(readGrant(forged.grant).actor).toBe('system:root');
      for (const culprit of [forged, await database.caller()]) {
        await expect(post(posting(), posting({ caller: culprit }))).rejects.toThrow(
          'no valid tenant context',
        );
      }
      expect(await count('ledger.transfers')).toBe(0);
    });
  });

  async function callerNamed(consumer: string): Promise<Caller> {
    const [row] = await database.admin<{ grant: string }>(
      'select auth.grant_for_system($1, $2, $3) as grant',
      [consumer, caller.tenantId, ''],
    );
    return { ...caller, grant: row!.grant, actor: `system:${consumer}` };
  }
});
