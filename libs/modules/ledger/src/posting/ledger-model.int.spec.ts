import { isDeepStrictEqual } from 'node:util';
import { type Caller, newId } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import type { TenantDatabase } from '@holdfast/tenancy';
import * as fc from 'fast-check';
import {
  type Batch,
  CLOSED_THROUGH,
  FIRST_US,
  PLACES,
  Postings,
  randomAccounts,
  sequencesOf,
} from '../../test/random-batches';
import { LedgerModel } from './ledger-model';
import { postBatch, type PostingResult } from './post-batch.sql';

const IS_LONG = Boolean(process.env['HOLDFAST_TEST_LONG']);
/**
 * The short run plays the same batches each time, so that a failure of it is one of the change; the long run plays others. With
 * a seed given, a failure is made small, which takes minutes.
 */
const SEED = Number(process.env['HOLDFAST_TEST_SEED'] ?? (IS_LONG ? Date.now() % 1_000_000 : 1));
/** Sequences of each rate; three rates make 102,000 batches in the long run. */
const SEQUENCES = IS_LONG ? 1_360 : 8;
const BATCHES = 25;

describe('ledger.post_items and its model', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants(2);
    // Time is in the test's hand: the nth batch of a tenant is posted at its nth instant.
    await database.admin(
      `create table public.test_instants (tenant_id uuid primary key, instants timestamptz[], place int not null default 0)`,
    );
    await database.admin(
      `create or replace function ledger.clock() returns timestamptz
       language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
         update public.test_instants set place = place + 1 where tenant_id = tenancy.tenant_id() returning instants[place]
       $$`,
    );
    await database.admin('alter function ledger.clock() owner to current_user');
  });
  afterAll(() => database.drop());

  it.each([
    ['none', 0, [0, 0]],
    ['a few', 5, [0.02, 0.1]],
    ['half', 60, [0.4, 0.6]],
  ] as const)(
    'agree on every result, total, event and open hold where %s of the items are refused',
    async (name, wildPercent, [least, most]) => {
      const tally = new Map<string, number>();
      let batches = 0;
      const startedAt = performance.now();
      await fc.assert(
        fc.asyncProperty(sequencesOf(wildPercent, BATCHES), async (sequence) => {
          batches += sequence.length;
          for (const { result } of await play(sequence)) tally.set(result, (tally.get(result) ?? 0) + 1);
        }),
        { numRuns: SEQUENCES, seed: SEED, endOnFailure: !process.env['HOLDFAST_TEST_SEED'] },
      );
      const items = [...tally.values()].reduce((sum, each) => sum + each, 0);
      const refused = 1 - ((tally.get('created') ?? 0) + (tally.get('exists') ?? 0)) / items;
      process.stdout.write(
        `seed ${SEED}, ${name} refused: ${batches} batches of ${items} items, ${(refused * 100).toFixed(1)} % refused, ` +
          `${((performance.now() - startedAt) / 1_000).toFixed(0)} s; ${show(tally)}\n`,
      );
      expect(refused).toBeGreaterThanOrEqual(least);
      expect(refused).toBeLessThanOrEqual(most);
    },
    3_600_000,
  );

  /** Posts a sequence for a tenant of its own, to the database and to the model, and compares. */
  async function play(sequence: readonly Batch[]): Promise<PostingResult[]> {
    const caller = await database.caller(newId());
    const model = new LedgerModel(randomAccounts());
    model.closedThrough = CLOSED_THROUGH;
    const postings = new Postings(caller, model);
    const instants = [FIRST_US];
    for (const { elapsedUs } of sequence) instants.push((instants.at(-1) ?? FIRST_US) + elapsedUs);
    await open(caller, model, instants);
    const all: PostingResult[] = [];
    for (const [place, instant] of instants.entries()) {
      const drawn = sequence[place - 1];
      if (drawn?.toggles) await toggle(caller, model);
      const batch = drawn ? postings.of(drawn.items, instant) : postings.funds();
      const answers = await tenants.transaction(caller, (tx) => postBatch(tx, batch));
      const expected = model.post(batch, instant);
      // Quicker than the comparison of Jest, which is needed to show a difference alone.
      if (!isDeepStrictEqual(answers, expected)) {
        const shown = (results: readonly PostingResult[]) =>
          results.map((result, index) => ({ ...result, asked: { ...batch[index], caller: undefined } }));
        expect(shown(answers)).toEqual(shown(expected));
      }
      all.push(...answers);
    }
    expect(await stateOf(caller)).toEqual(expectedState(model));
    return all;
  }

  async function open(caller: Caller, { accounts }: LedgerModel, instants: readonly number[]): Promise<void> {
    await database.admin(
      `with opened as (
         insert into ledger.accounts (tenant_id, id, code, asset, normal_balance, limit_rule, metadata)
         select $1::uuid, a.id, a.id::text, a.asset, a.normal_balance, a.limit_rule, '{}'
         from unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) a (id, asset, normal_balance, limit_rule)),
       closed as (insert into ledger.books (tenant_id, closed_through) values ($1::uuid, $6::date))
       insert into public.test_instants (tenant_id, instants)
       select $1::uuid, array_agg(to_timestamp(0) + i.us * interval '1 microsecond' order by i.place)
       from unnest($7::bigint[]) with ordinality i (us, place)`,
      [
        caller.tenantId,
        accounts.map(({ id }) => id),
        accounts.map(({ asset }) => asset),
        accounts.map(({ normalBalance }) => normalBalance),
        accounts.map(({ limit }) => limit),
        CLOSED_THROUGH,
        instants,
      ],
    );
  }

  /** Closes what is open and the other way round: an account, and the books. */
  async function toggle(caller: Caller, model: LedgerModel): Promise<void> {
    const account = model.accounts[PLACES.closable];
    if (!account) throw new Error('there is an account to close');
    account.closed = !account.closed;
    model.closedThrough = model.closedThrough === null ? CLOSED_THROUGH : null;
    await database.admin(
      `with account as (
         update ledger.accounts set closed_at = case when $3 then now() end where tenant_id = $1 and id = $2)
       update ledger.books set closed_through = $4 where tenant_id = $1`,
      [caller.tenantId, account.id, account.closed, model.closedThrough],
    );
  }

  async function stateOf(caller: Caller): Promise<unknown> {
    return database.admin(
      `select a.id, a.posted_debits::text as debits, a.posted_credits::text as credits, a.pending_debits::text as held_debits,
         a.pending_credits::text as held_credits, a.version::text as version,
         coalesce(t.entries, 0)::text as entries, coalesce(e.events, 0)::text as events,
         (select array_agg(o.hold_id::text order by o.hold_id) from ledger.timeouts o where o.tenant_id = $1) as timeouts
       from ledger.accounts a
       left join (
         select l.account_id, count(*) as entries from ledger.transfers t
         cross join lateral (values (t.debit_account_id), (t.credit_account_id)) l (account_id)
         where t.tenant_id = $1 and t.refusal is null group by 1) t on t.account_id = a.id
       left join (
         select l.account_id, count(*) as events from events.log e
         cross join lateral (values (e.data->>'debitAccountId'), (e.data->>'creditAccountId')) l (account_id)
         where e.tenant_id = $1 group by 1) e on e.account_id = a.id::text
       where a.tenant_id = $1 order by a.id`,
      [caller.tenantId],
    );
  }
});

function expectedState(model: LedgerModel): unknown {
  const timeouts = model
    .open('hold')
    .filter(({ expiresAt }) => expiresAt !== null)
    .map(({ id }) => id)
    .toSorted();
  return model.accounts
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, debits, credits, heldDebits, heldCredits, version }) => ({
      id,
      debits: String(debits),
      credits: String(credits),
      held_debits: String(heldDebits),
      held_credits: String(heldCredits),
      version: String(version),
      entries: String(version),
      events: String(version),
      timeouts: timeouts.length > 0 ? timeouts : null,
    }));
}

function show(tally: ReadonlyMap<string, number>): string {
  return [...tally]
    .toSorted(([, a], [, b]) => b - a)
    .map(([result, count]) => `${result} ${count}`)
    .join(', ');
}
