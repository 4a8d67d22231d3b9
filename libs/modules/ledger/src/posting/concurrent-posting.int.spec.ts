import { type Caller, newId } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import type { TenantDatabase } from '@holdfast/tenancy';
import type { OpenAccountInput } from '../accounts/account';
import { PLAIN, postBatch, type Posting, type PostingResult } from './post-batch.sql';
import { posterOver } from './poster';
import { storeAccount } from '../../test/stored-account';

/** Connections that post at once. */
const WRITERS = 8;

describe('Posting from many connections at once', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants(WRITERS);
  });
  beforeEach(async () => {
    caller = await database.caller();
  });
  afterAll(() => database.drop());

  const open = (limit: OpenAccountInput['limit'] = 'none'): Promise<string> =>
    storeAccount(database, caller.tenantId, { limit });

  const posting = (
    debitAccountId: string,
    creditAccountId: string,
    changes: Partial<Posting> = {},
  ): Posting => ({
    ...{
      caller,
      id: newId(),
      idGiven: false,
      idempotencyKey: null,
      debitAccountId,
      creditAccountId,
      amount: 1n,
      metadata: {},
      ...PLAIN,
    },
    ...changes,
  });

  const post = (...postings: Posting[]): Promise<PostingResult[]> =>
    tenants.transaction(caller, (tx) => postBatch(tx, postings));

  const tally = (answers: readonly PostingResult[]): Record<string, number> => {
    const counts: Record<string, number> = {};
    for (const { result } of answers) counts[result] = (counts[result] ?? 0) + 1;
    return counts;
  };

  /** Everything that has to hold over a tenant's ledger, whatever was posted: an empty list when it does. */
  const breaks = (): Promise<unknown[]> =>
    database.admin(
      `with legs as (
         select debit_account_id as account_id, debit_version as version, amount as debit, 0 as credit,
           debit_account_debits as debits, debit_account_credits as credits, booked_at, id
         from ledger.transfers where tenant_id = $1 and refusal is null
         union all
         select credit_account_id, credit_version, 0, amount, credit_account_debits, credit_account_credits, booked_at, id
         from ledger.transfers where tenant_id = $1 and refusal is null),
       chained as (
         select l.*, e.seq,
           sum(l.debit) over w as debits_so_far, sum(l.credit) over w as credits_so_far, row_number() over w as place,
           lag(l.booked_at) over w as booked_before, lag(e.seq) over w as seq_before
         from legs l
         left join events.log e on e.tenant_id = $1 and e.stream_type = 'ledger.transfer' and e.stream_id = l.id
         window w as (partition by l.account_id order by l.version))
       select 'entry' as what, account_id, version from chained
       where version <> place or debits <> debits_so_far or credits <> credits_so_far or booked_at < booked_before
         or seq is null or seq < seq_before
       union all
       select 'account', a.id, a.version from ledger.accounts a
       left join (select account_id, count(*) as version, sum(debit) as debits, sum(credit) as credits from legs group by 1) l
         on l.account_id = a.id
       where a.tenant_id = $1
         and (a.version, a.posted_debits, a.posted_credits) is distinct from
             (coalesce(l.version, 0), coalesce(l.debits, 0), coalesce(l.credits, 0))
       union all
       select 'events', null, count(*) from events.log where tenant_id = $1
       having count(*) <> (select count(*) from ledger.transfers where tenant_id = $1 and refusal is null)`,
      [caller.tenantId],
    );

  const deadlocks = async (): Promise<string> => {
    const [row] = await database.admin<{ deadlocks: string }>(
      'select deadlocks::text from pg_stat_database where datname = current_database()',
    );
    return row!.deadlocks;
  };

  it('is watched by a check that sees a changed total, a missing event and a gap', async () => {
    const [cash, sales] = [await open(), await open()];
    await post(posting(cash, sales), posting(cash, sales));
    expect(await breaks()).toEqual([]);
    await database.admin('update ledger.accounts set posted_debits = posted_debits + 1 where id = $1', [
      cash,
    ]);
    expect(await breaks()).toMatchObject([{ what: 'account', account_id: cash }]);
    await database.admin('delete from ledger.transfers where debit_account_id = $1 and debit_version = 1', [
      cash,
    ]);
    expect((await breaks()).length).toBeGreaterThan(3);
  });

  it('takes effect once for 50 equal idempotency keys, and answers all the same', async () => {
    const [cash, sales, idempotencyKey] = [await open(), await open(), newId()];
    const attempts = Array.from({ length: 50 }, () => post(posting(cash, sales, { idempotencyKey })));
    const answers = (await Promise.all(attempts)).flat();
    expect(tally(answers)).toEqual({ created: 1, exists: 49 });
    expect(new Set(answers.map(({ id, bookedAt }) => `${id} ${bookedAt}`)).size).toBe(1);
    expect(await breaks()).toEqual([]);
  });

  it('takes effect once for equal ids that two processes post in batches, in any order', async () => {
    const [cash, sales] = [await open(), await open()];
    const items = Array.from({ length: 200 }, () => posting(cash, sales, { idGiven: true }));
    const posters = [posterOver(tenants), posterOver(database.tenants(2))];
    const answers = await Promise.all(
      posters.flatMap((poster, place) => {
        const order = place === 0 ? items : items.toReversed();
        return [poster.submit(caller, order), ...order.map((item) => poster.submit(caller, [item]))];
      }),
    );
    expect(tally(answers.flat())).toEqual({ created: 200, exists: 600 });
    expect(await breaks()).toEqual([]);
  });

  it('gives a key one effect when it comes with a known id and with another body at once', async () => {
    const [cash, sales] = [await open(), await open()];
    const outcomes = new Set<string>();
    for (let round = 0; round < 20; round += 1) {
      const original = posting(cash, sales, { idGiven: true });
      const retry = { ...original, idempotencyKey: newId() };
      const other = posting(cash, sales, { idempotencyKey: retry.idempotencyKey, amount: 999n });
      await post(original);
      const order = round % 2 ? [retry, other] : [other, retry];
      const answers = (await Promise.all(order.map((item) => post(item)))).flat();
      outcomes.add(Object.keys(tally(answers)).toSorted().join(' '));
      // Answers stay what they were.
      const again = await post(...order.map((item) => (item.idGiven ? item : { ...item, id: newId() })));
      const settled = answers.map(({ result }) => result.replace('created', 'exists'));
      expect(again.map(({ result }) => result)).toEqual(settled);
    }
    const allowed = ['created idempotency.key_reused', 'exists idempotency.key_reused'];
    expect(allowed).toEqual(expect.arrayContaining([...outcomes]));
    expect(await breaks()).toEqual([]);
  });

  it('gives keys and ids that cross each other one effect each, without deadlocks', async () => {
    const [cash, sales] = [await open(), await open()];
    const anyOf = (values: readonly string[]): string => values[Math.floor(Math.random() * values.length)]!;
    for (let round = 0; round < 15; round += 1) {
      const [ids, keys] = [0, 1].map(() => Array.from({ length: 12 }, () => newId())) as [string[], string[]];
      const crossing = (): Posting => ({
        ...posting(cash, sales, { id: anyOf(ids), idGiven: true, idempotencyKey: anyOf(keys) }),
        ...(Math.random() < 0.3 && { idempotencyKey: null }),
        ...(Math.random() < 0.3 && { id: newId(), idGiven: false }),
      });
      const batches = Array.from({ length: WRITERS }, () => Array.from({ length: 8 }, crossing));
      const answers = (await Promise.all(batches.map((batch) => post(...batch)))).flat();
      const accepted = new Map<string, Set<string>>();
      for (const [place, { idempotencyKey }] of batches.flat().entries()) {
        const { id, result } = answers[place]!;
        if (idempotencyKey === null || result === 'idempotency.key_reused') continue;
        accepted.set(idempotencyKey, (accepted.get(idempotencyKey) ?? new Set()).add(id));
      }
      expect([...accepted.values()].filter((effects) => effects.size !== 1)).toEqual([]);
    }
    expect(await breaks()).toEqual([]);
    expect(await deadlocks()).toBe('0');
  });

  it('never lets debits exceed credits on one hot account', async () => {
    const [wallet, cash, sales] = [await open('debits_must_not_exceed_credits'), await open(), await open()];
    await post(posting(cash, wallet, { amount: 500n }));
    const spender = async (): Promise<PostingResult[]> => {
      const answers: PostingResult[] = [];
      for (let round = 0; round < 20; round += 1) {
        answers.push(...(await post(...Array.from({ length: 5 }, () => posting(wallet, sales)))));
      }
      return answers;
    };
    const answers = (await Promise.all(Array.from({ length: WRITERS }, spender))).flat();
    expect(tally(answers)).toEqual({ created: 500, 'ledger.exceeds_credits': WRITERS * 100 - 500 });
    expect(await breaks()).toEqual([]);
  });

  it('keeps every account a fold of its entries under transfers in all directions, without deadlocks', async () => {
    const accounts = await Promise.all(Array.from({ length: 5 }, () => open()));
    const anyTransfer = (): Posting => {
      const from = Math.floor(Math.random() * 5);
      const to = (from + 1 + Math.floor(Math.random() * 4)) % 5;
      return posting(accounts[from]!, accounts[to]!, { idempotencyKey: newId() });
    };
    const writer = async (): Promise<void> => {
      for (let round = 0; round < 25; round += 1) {
        await post(...Array.from({ length: 1 + Math.floor(Math.random() * 8) }, anyTransfer));
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, writer));
    expect(await breaks()).toEqual([]);
    expect(await deadlocks()).toBe('0');
  });

  it('posts single transfers of many callers through one poster, each under its own actor, and refuses a forged grant alone', async () => {
    const [cash, sales] = [await open(), await open()];
    const callers = await Promise.all(['first', 'second'].map((name) => named(name)));
    const forged = { ...caller, grant: caller.grant.replace('system:test', 'system:root') };
    const poster = posterOver(tenants);
    const submissions = [...callers, forged, ...callers, ...callers].map((each) =>
      poster.submit(each, [posting(cash, sales, { caller: each })]),
    );
    const outcomes = await Promise.allSettled(submissions);
    expect(outcomes.map(({ status }) => status)).toEqual(
      [2, 1, 4].flatMap((n, part) => Array(n).fill(part === 1 ? 'rejected' : 'fulfilled')),
    );
    const actors = await database.admin(
      'select actor, count(*)::int as events from events.log where tenant_id = $1 group by 1 order by 1',
      [caller.tenantId],
    );
    expect(actors).toEqual([
      { actor: 'system:first', events: 3 },
      { actor: 'system:second', events: 3 },
    ]);
    expect(await breaks()).toEqual([]);
  });

  async function named(consumer: string): Promise<Caller> {
    const [row] = await database.admin<{ grant: string }>(
      'select auth.grant_for_system($1, $2, $3) as grant',
      [consumer, caller.tenantId, ''],
    );
    return { ...caller, grant: row!.grant, actor: `system:${consumer}`, requestId: newId() };
  }
});
