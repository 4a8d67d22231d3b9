import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { type Caller, newId } from '@holdfast/kernel';
import { Random } from '@holdfast/testing';
import type { PostedBatch, PostingJob } from '../../test/posting-process';
import { TestLedger } from '../../test/test-ledger';
import { LedgerModel } from './ledger-model';
import { emptyAccount, type ModelAccount } from './ledger-model-demands';
import { PLAIN, type Posting, type PostingResult } from './post-batch.sql';
import { type Poster, posterOver } from './poster';

const IS_LONG = Boolean(process.env['HOLDFAST_TEST_LONG']);
/** The short run draws the same items each time; the order in which they meet is new every time. */
const SEED = Number(process.env['HOLDFAST_TEST_SEED'] ?? (IS_LONG ? Date.now() % 1_000_000 : 1));
const ROUNDS = IS_LONG ? 1_000 : 100;
const ROUNDS_OF_OTHERS = IS_LONG ? 200 : 30;
const BATCHES = IS_LONG ? 600 : 40;
const PROCESSES = 2;
const WRITERS = 4;

const ROOT = join(__dirname, '../../../../..');
const BUILD = join(ROOT, 'apps/cli/bin/build.js');

describe('Posting on two nodes', () => {
  let ledger: TestLedger;
  let caller: Caller;
  let nodes: readonly [Poster, Poster];

  beforeAll(async () => {
    ledger = await TestLedger.start();
    nodes = [posterOver(ledger.tenants), posterOver(ledger.database.tenants(4))];
  });
  beforeEach(async () => {
    caller = await ledger.database.caller();
  });
  afterAll(() => ledger.close());

  const posting = (changes: Partial<Posting>): Posting => ({
    ...{ ...PLAIN, caller, id: newId(), idGiven: false, idempotencyKey: null },
    ...{ debitAccountId: null, creditAccountId: null, amount: 0n, metadata: {} },
    ...changes,
  });

  const deadlocks = async (): Promise<string | undefined> => {
    const [row] = await ledger.database.admin<{ deadlocks: string }>(
      'select deadlocks::text from pg_stat_database where datname = current_database()',
    );
    return row?.deadlocks;
  };

  /** Each node is given its item at the same time; what they answer, in order. */
  const atOnce = async (...items: [Posting, Posting]): Promise<string[]> => {
    const answers = await Promise.all(
      nodes.map((node, place) => node.submit(caller, items.slice(place, place + 1))),
    );
    return answers.flat().map(({ result }) => result);
  };

  /** So many wallets that may not be overdrawn, with 100 on each. */
  async function wallets(count: number): Promise<{ cash: string; shop: string; ids: string[] }> {
    const [cash, shop] = [await ledger.open(caller), await ledger.open(caller)];
    const limit = 'debits_must_not_exceed_credits';
    const ids = await Promise.all(Array.from({ length: count }, () => ledger.open(caller, { limit })));
    await ledger.post(caller, [cash, null], ...ids.map((creditAccountId) => ({ creditAccountId })));
    return { cash, shop, ids };
  }

  it(`lets one of two withdraw the whole balance, ${ROUNDS} times`, async () => {
    const { shop, ids } = await wallets(ROUNDS);
    for (const wallet of ids) {
      const withdrawal = { debitAccountId: wallet, creditAccountId: shop, amount: 100n };
      const results = await atOnce(posting(withdrawal), posting(withdrawal));
      expect(results.toSorted()).toEqual(['created', 'ledger.exceeds_credits']);
    }
    const rows = await ledger.database.admin(
      `select distinct posted_debits::text as debits, posted_credits::text as credits, version::text as version
       from ledger.accounts where tenant_id = $1 and id = any ($2)`,
      [caller.tenantId, ids],
    );
    expect(rows).toEqual([{ debits: '100', credits: '100', version: '2' }]);
  }, 300_000);

  it('lets one of two end a hold that is posted and voided at once', async () => {
    const { shop, ids } = await wallets(ROUNDS_OF_OTHERS);
    const legs = { kind: 'hold', creditAccountId: shop } as const;
    const holds = await ledger.post(
      caller,
      [null, null],
      ...ids.map((debitAccountId) => ({ ...legs, debitAccountId })),
    );
    for (const [place, { id: targetId }] of holds.entries()) {
      const ends = [posting({ kind: 'post', targetId }), posting({ kind: 'void', targetId })] as const;
      const [first, second] = place % 2 ? ends : ends.toReversed();
      const results = await atOnce(first ?? ends[0], second ?? ends[1]);
      const ended = results.includes('ledger.hold_posted') ? 'ledger.hold_posted' : 'ledger.hold_voided';
      expect(results.toSorted()).toEqual(['created', ended]);
    }
    const rows = await ledger.database.admin(
      'select sum(pending_debits)::int as held from ledger.accounts where tenant_id = $1',
      [caller.tenantId],
    );
    expect(rows).toEqual([{ held: 0 }]);
  }, 300_000);

  it('gives an id one effect: twice in a batch, on two nodes at once, and there with other accounts', async () => {
    const { cash, shop, ids } = await wallets(ROUNDS_OF_OTHERS);
    for (const wallet of ids) {
      const spent = posting({ idGiven: true, debitAccountId: wallet, creditAccountId: shop, amount: 10n });
      const [twice] = nodes;
      const inOne = await twice.submit(caller, [spent, spent]);
      expect(inOne.map(({ result }) => result)).toEqual(['created', 'exists']);
      const equal = posting({ idGiven: true, debitAccountId: wallet, creditAccountId: shop, amount: 10n });
      expect((await atOnce(equal, equal)).toSorted()).toEqual(['created', 'exists']);
      const other = { ...equal, id: newId() };
      const elsewhere = { ...other, debitAccountId: cash, creditAccountId: await ledger.open(caller) };
      expect((await atOnce(other, elsewhere)).toSorted()).toEqual([
        'created',
        'ledger.exists_with_different_debit_account_id',
      ]);
    }
  }, 300_000);

  it('never waits in a circle for ids that are taken and refused on both', async () => {
    const [cash, shop, bank, till] = await Promise.all(Array.from({ length: 4 }, () => ledger.open(caller)));
    for (let round = 0; round < ROUNDS_OF_OTHERS; round += 1) {
      const ids = [newId(), newId(), newId(), newId()];
      // What takes effect on one node is refused on the other, whose accounts are others.
      const batch = (debitAccountId = '', creditAccountId = '', refuses = 0): Posting[] =>
        ids.map((id, place) => {
          const legs = {
            debitAccountId,
            creditAccountId: place % 2 === refuses ? debitAccountId : creditAccountId,
          };
          return posting({ id, idGiven: true, amount: 1n, ...legs });
        });
      const answers = await Promise.all([
        nodes[0].submit(caller, batch(cash, shop, 0)),
        nodes[1].submit(caller, batch(bank, till, 1).toReversed()),
      ]);
      const mismatches = answers.map(
        (each) => each.filter(({ result }) => result.includes('different')).length,
      );
      expect(mismatches).toEqual(mismatches[0] === 0 ? [0, 4] : [4, 0]);
    }
    expect(await deadlocks()).toBe('0');
  }, 300_000);

  /**
   * The order is known: what a batch was answered depends on rows that it has locked, and on ids and keys for which it has
   * waited where another had them; and it has all its locks when it asks for the time. Of two batches that share anything,
   * one has therefore committed before the other asks. So the batches are replayed by the time at which they asked, which
   * is between the call and the return of each, and the model has to agree on everything: on what was accepted, with
   * versions, amounts and times, and on every refusal, for which there is no other state to be explained by.
   */
  it('gives the answers of a single thread: eight connections of two processes, replayed on the model', async () => {
    await ledger.database.admin(
      'create table public.test_lock_points (xid text primary key, at timestamptz)',
    );
    await ledger.database.admin(
      `create or replace function ledger.clock() returns timestamptz
       language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
         insert into public.test_lock_points (xid, at) values (pg_current_xact_id()::xid::text, clock_timestamp()) returning at
       $$`,
    );
    await ledger.database.admin('alter function ledger.clock() owner to current_user');
    const model = new LedgerModel(await openAccounts());
    const { jobs, setUp } = await jobsFor(model.accounts);
    const [ones = [], others = []] = await Promise.all(jobs.map(runProcess));
    const records = [setUp, ...ones, ...others];
    const isOfFirst = new Set(ones);
    let turns = 0;
    let last: boolean | undefined;
    const tally = new Map<string, number>();
    for (const { record, atUs } of await inOrder(records)) {
      const { batch, answers } = record;
      if (last !== isOfFirst.has(record)) turns += 1;
      last = isOfFirst.has(record);
      expect(answers).toEqual(model.post(batch, atUs));
      for (const { result } of answers) tally.set(result, (tally.get(result) ?? 0) + 1);
    }
    expect(await totals()).toEqual(
      model.accounts.map(({ id, debits, credits, heldDebits, heldCredits, version }) =>
        [id, debits, credits, heldDebits, heldCredits, version].join(' '),
      ),
    );
    process.stdout.write(
      `seed ${SEED}: ${records.length} batches of ${PROCESSES} processes with ${WRITERS} connections each replayed, ${turns} turns; ` +
        `${[...tally].map(([result, count]) => `${result} ${count}`).join(', ')}\n`,
    );
    // It counts only if they have met: in time, on limits, on holds and on ids.
    expect(turns).toBeGreaterThan(20);
    for (const result of ['ledger.exceeds_credits', 'ledger.hold_posted', 'ledger.hold_voided', 'exists'])
      expect(tally.get(result)).toBeGreaterThan(0);
    expect(await deadlocks()).toBe('0');
  }, 1_200_000);

  async function openAccounts(): Promise<ModelAccount[]> {
    const open = { normalBalance: 'debit', limit: 'none' } as const;
    const wallet = { normalBalance: 'credit', limit: 'debits_must_not_exceed_credits' } as const;
    const till = { normalBalance: 'debit', limit: 'credits_must_not_exceed_debits' } as const;
    const kinds = [open, open, wallet, wallet, wallet, wallet, till];
    const accounts = await Promise.all(
      kinds.map(async (kind) =>
        emptyAccount({ ...kind, id: await ledger.open(caller, kind), asset: 'EUR/2' }),
      ),
    );
    return accounts.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** What all processes find: some money, holds and transfers; and what they all ask for. */
  async function jobsFor(
    accounts: readonly ModelAccount[],
  ): Promise<{ jobs: PostingJob[]; setUp: PostedBatch }> {
    const free = accounts.filter(({ limit }) => limit === 'none').map(({ id }) => id);
    const limited = accounts.filter(({ limit }) => limit.startsWith('debits')).map(({ id }) => id);
    const random = new Random(SEED);
    const any = (kind: 'hold' | 'transfer', from: readonly string[], idGiven = false): Posting => {
      const legs = { debitAccountId: random.pick(from), creditAccountId: random.pick(limited) };
      const terms = kind === 'hold' && random.next() < 0.3 ? { timeout_seconds: 2 } : null;
      return posting({ ...legs, kind, terms, amount: BigInt(random.between(1, 12)), idGiven });
    };
    const holds = Array.from({ length: BATCHES * 2 }, () => any('hold', free));
    const transfers = Array.from({ length: BATCHES }, () => any('transfer', free));
    const contested = Array.from({ length: BATCHES }, () => any('transfer', [...free, ...limited], true));
    const others = contested
      .filter((_, place) => place % 4 === 0)
      .map((each) => ({ ...any('hold', free, true), id: each.id }));
    const batch = [...holds, ...transfers];
    const setUp = { batch, answers: (await nodes[0].submit(caller, batch)) as readonly PostingResult[] };
    const found = { holds: holds.map(({ id }) => id), transfers: transfers.map(({ id }) => id) };
    const jobs = Array.from({ length: PROCESSES }, (_, place) => ({
      ...{
        url: ledger.database.url('holdfast_app'),
        caller,
        seed: SEED * 10 + place,
        writers: WRITERS,
        batches: BATCHES,
      },
      ...{ accounts: accounts.map(({ id }) => id), ...found, contested: [...contested, ...others] },
    }));
    return { jobs, setUp };
  }

  /** With the time at which each had its locks, by the transaction that has written its first row. */
  async function inOrder(records: readonly PostedBatch[]): Promise<{ record: PostedBatch; atUs: number }[]> {
    const points = await ledger.database.admin<{ id: string; us: string }>(
      `select t.id, (extract(epoch from p.at) * 1000000)::bigint::text as us
       from ledger.transfers t join public.test_lock_points p on p.xid = t.xmin::text
       where t.tenant_id = $1`,
      [caller.tenantId],
    );
    const times = new Map(points.map(({ id, us }) => [id, Number(us)]));
    return records
      .map((record) => ({ record, atUs: times.get(record.batch[0]?.id ?? '') ?? Number.NaN }))
      .toSorted((a, b) => a.atUs - b.atUs);
  }

  async function totals(): Promise<string[]> {
    const rows = await ledger.database.admin<{ account: string }>(
      `select concat_ws(' ', id, posted_debits, posted_credits, pending_debits, pending_credits, version) as account
       from ledger.accounts where tenant_id = $1 order by id`,
      [caller.tenantId],
    );
    return rows.map(({ account }) => account);
  }
});

/** Builds the program if a source is newer than the build, and lets a process of it do the job. */
async function runProcess(job: PostingJob): Promise<PostedBatch[]> {
  const script = `const b = require(${JSON.stringify(BUILD)}); if (b.isStale()) b.build(b.isStale);`;
  const built = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(built.stderr);
  const program = join(realpathSync(join(ROOT, 'dist')), 'libs/modules/ledger/test/posting-process.js');
  const child = fork(program, { serialization: 'advanced', execArgv: [] });
  const exited = once(child, 'exit');
  child.send(job);
  const [answer] = (await Promise.race([once(child, 'message'), exited])) as [
    PostedBatch[] | string | number,
  ];
  if (!Array.isArray(answer)) throw new Error(`the process has failed: ${answer}`);
  await exited;
  return answer;
}
