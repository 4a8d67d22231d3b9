import { type Caller, newId } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import type { TenantDatabase } from '@holdfast/tenancy';
import * as fc from 'fast-check';
import { insertAccount } from '../accounts/accounts.sql';
import { LedgerModel, type ModelAccount } from './ledger-model';
import { PLAIN, postBatch, type Posting } from './post-batch.sql';

/** Sequences of batches to compare; fast-check prints the seed of one that fails, and `{ seed, path }` replays it. */
const RUNS = process.env['HOLDFAST_TEST_LONG'] ? 5_000 : 150;

const LARGE = 2n ** 62n;

/** An item that nobody has asked for before, or one that repeats an earlier one with none, one or two changes. */
const item = fc.record({
  idGiven: fc.boolean(),
  keyed: fc.boolean(),
  // Two in three among the accounts that take anything, so that limits are met with money on the accounts.
  debit: fc.oneof({ weight: 2, arbitrary: fc.integer({ min: 0, max: 4 }) }, fc.integer({ min: 0, max: 7 })),
  credit: fc.oneof({ weight: 2, arbitrary: fc.integer({ min: 0, max: 4 }) }, fc.integer({ min: 0, max: 7 })),
  amount: fc.oneof(
    { weight: 19, arbitrary: fc.bigInt(1n, 40n) },
    { weight: 1, arbitrary: fc.bigInt(LARGE, 2n * LARGE - 1n) },
  ),
  repeated: fc.option(fc.nat(40), { nil: null, freq: 2 }),
  changes: fc.uniqueArray(
    fc.constantFrom('id', 'named', 'key', 'amount', 'metadata', 'debit', 'credit', 'crossed'),
    { maxLength: 2 },
  ),
});
type Item = typeof item extends fc.Arbitrary<infer T> ? T : never;

const batches = fc.array(fc.array(item, { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 5 });

describe('ledger.post_batch and its model', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants(2);
  });
  afterAll(() => database.drop());

  it('agree on every result, version and total, for any sequence of batches', async () => {
    await fc.assert(
      fc.asyncProperty(batches, async (sequence) => {
        const caller = await database.caller(newId());
        const model = new LedgerModel(await openAccounts(caller));
        const accounts = [...model.accounts.map(({ id }) => id), newId()];
        const earlier: Posting[] = [];
        for (const items of sequence) {
          const postings = items.map((each) => postingOf(each, caller, accounts, earlier));
          const answers = await tenants.transaction(caller, (tx) => postBatch(tx, postings));
          const compared = answers.map(({ result, replayed, id, debitVersion, creditVersion }) => ({
            ...{ result, replayed, id, debitVersion, creditVersion },
          }));
          expect(compared).toEqual(model.post(postings));
        }
        expect(await totals(caller)).toEqual(totalsOf(model));
      }),
      { numRuns: RUNS },
    );
  }, 600_000);

  async function openAccounts(caller: Caller): Promise<ModelAccount[]> {
    const account = (asset: string, limit: ModelAccount['limit'], closed = false): ModelAccount => ({
      ...{ id: newId(), asset, limit, closed, debits: 0n, credits: 0n, version: 0n },
    });
    const accounts = [
      account('EUR/2', 'none'),
      account('EUR/2', 'none'),
      account('EUR/2', 'debits_must_not_exceed_credits'),
      account('EUR/2', 'debits_must_not_exceed_credits'),
      account('EUR/2', 'credits_must_not_exceed_debits'),
      account('EUR/2', 'none', true),
      account('USD/2', 'none'),
    ];
    await tenants.transaction(caller, async (tx) => {
      await Promise.all(
        accounts.map(({ id, asset, limit }) =>
          insertAccount(tx, id, { code: id, asset, limit, normalBalance: 'debit', metadata: {} }),
        ),
      );
    });
    await database.admin('update ledger.accounts set closed_at = now() where id = $1', [accounts[5]!.id]);
    return accounts;
  }

  async function totals(caller: Caller): Promise<unknown> {
    return database.admin(
      `select a.id, a.posted_debits::text as debits, a.posted_credits::text as credits, a.version::text as version,
         (select count(*) from ledger.transfers t where t.tenant_id = $1 and t.refusal is null and a.id in (t.debit_account_id, t.credit_account_id))::text
           as entries,
         (select count(*) from events.log e where e.tenant_id = $1 and a.id::text in (e.data->>'debitAccountId', e.data->>'creditAccountId'))::text
           as events
       from ledger.accounts a where a.tenant_id = $1 order by a.id`,
      [caller.tenantId],
    );
  }
});

function postingOf(drawn: Item, caller: Caller, accounts: readonly string[], earlier: Posting[]): Posting {
  const fresh: Posting = {
    caller,
    id: newId(),
    idGiven: drawn.idGiven,
    idempotencyKey: drawn.keyed ? newId() : null,
    debitAccountId: accounts[drawn.debit]!,
    creditAccountId: accounts[drawn.credit]!,
    amount: drawn.amount,
    metadata: {},
    ...PLAIN,
  };
  const original =
    drawn.repeated === null ? undefined : earlier[drawn.repeated % Math.max(1, earlier.length)];
  const repeated = original ? { ...original, ...changed(drawn, fresh, earlier) } : fresh;
  // An id that the client does not choose is made anew for each try.
  const posting = repeated.idGiven ? repeated : { ...repeated, id: fresh.id };
  earlier.push(posting);
  return posting;
}

/** The things in which a repeated item differs from its original. */
function changed({ changes }: Item, fresh: Posting, earlier: readonly Posting[]): Partial<Posting> {
  const each: Record<Item['changes'][number], Partial<Posting>> = {
    id: { id: fresh.id, idGiven: fresh.idGiven },
    // Known ids under known keys, also where the id was made for the original.
    named: { idGiven: true },
    key: { idempotencyKey: fresh.idempotencyKey },
    amount: { amount: fresh.amount },
    metadata: { metadata: { note: 'another' } },
    debit: { debitAccountId: fresh.debitAccountId },
    credit: { creditAccountId: fresh.creditAccountId },
    // The key of one known item with the id of another.
    crossed: { id: earlier.at(-1)?.id ?? fresh.id, idGiven: true },
  };
  return Object.assign({}, ...changes.map((change) => each[change]));
}

function totalsOf({ accounts }: LedgerModel): unknown {
  return accounts
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, debits, credits, version }) => {
      const count = String(version);
      return {
        id,
        debits: String(debits),
        credits: String(credits),
        version: count,
        entries: count,
        events: count,
      };
    });
}
