import { setTimeout as sleep } from 'node:timers/promises';
import { statement } from '@holdfast/database';
import { type Caller, newId } from '@holdfast/kernel';
import type { TenantDatabase } from '@holdfast/tenancy';
import { TestLedger } from '../../test/test-ledger';
import { PLAIN, postBatch, type Posting } from './post-batch.sql';

const FLUSH = statement('test.flush_statistics', 'select pg_stat_force_next_flush()');

const TEN = Array.from({ length: 10 });

describe('Storage of the ledger', () => {
  let ledger: TestLedger;
  let caller: Caller;

  beforeAll(async () => void (ledger = await TestLedger.start()));
  beforeEach(async () => {
    caller = await ledger.database.caller();
  });
  afterAll(() => ledger.close());

  const posting = (changes: Partial<Posting>): Posting => ({
    ...{ ...PLAIN, caller, id: newId(), idGiven: false, idempotencyKey: newId() },
    ...{ debitAccountId: null, creditAccountId: null, amount: 1n, metadata: {} },
    ...changes,
  });

  /** Posts through one session and has it tell its statistics. */
  const post = (session: TenantDatabase, postings: readonly Posting[]): Promise<unknown> =>
    session.transaction(caller, async (tx) => {
      await tx.rows(FLUSH, []);
      return postBatch(tx, postings);
    });

  /** Ten at a time: a pool refuses those for whom there is no place in its line. */
  const accounts = async (count: number): Promise<string[]> => {
    const ids: string[] = [];
    for (; ids.length < count; ids.push(...(await Promise.all(TEN.map(() => ledger.open(caller))))));
    return ids;
  };

  it('has no index on what transfers change of an account', async () => {
    const changed = [
      'posted_debits',
      'posted_credits',
      'pending_debits',
      'pending_credits',
      'version',
      'last_booked_at',
    ];
    const rows = await ledger.database.admin(
      `select i.indexrelid::regclass::text as index from pg_index i
       where i.indrelid = 'ledger.accounts'::regclass
         and pg_get_indexdef(i.indexrelid) ~ ('\\m(' || array_to_string($1::text[], '|') || ')\\M')`,
      [changed],
    );
    expect(rows).toEqual([]);
  });

  it('has no whole index that is newer than the primary key, which plans made over an empty table would take', async () => {
    const rows = await ledger.database.admin(
      `select i.indexrelid::regclass::text as index from pg_index i
       join pg_class c on c.oid = i.indrelid
       join pg_index p on p.indrelid = c.oid and p.indisprimary
       where c.oid = any (array['ledger.accounts', 'ledger.transfers', 'ledger.keys', 'ledger.timeouts']::regclass[])
         and i.indpred is null and i.indexrelid > p.indexrelid`,
    );
    expect(rows).toEqual([]);
  });

  it('updates accounts in their page, without touching an index', async () => {
    const session = ledger.database.tenants(1);
    const ids = await accounts(150);
    const pages = async (): Promise<Map<string, string>> => {
      const rows = await ledger.database.admin<{ id: string; page: string }>(
        `select id, split_part(trim(leading '(' from ctid::text), ',', 1) as page from ledger.accounts where id = any ($1)`,
        [ids],
      );
      return new Map(rows.map(({ id, page }) => [id, page]));
    };
    const rounds = async (): Promise<void> => {
      for (let first = 0; first < ids.length; first += 15) {
        const some = ids.slice(first, first + 15);
        const next = (place: number): string => some[(place + 1) % some.length] ?? '';
        await post(
          session,
          some.map((id, place) => posting({ debitAccountId: id, creditAccountId: next(place) })),
        );
      }
    };
    // A transaction that is open anywhere on the server, in the database of another spec as well, keeps old rows in their pages.
    const untilRemovable = async (): Promise<void> => {
      const [now] = await ledger.database.admin<{ xid: string }>('select pg_current_xact_id()::text as xid');
      const isPast = 'select pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 as past';
      const asked = (): Promise<{ past: boolean }[]> => ledger.database.admin(isPast, [now?.xid]);
      while (!(await asked())[0]?.past) await sleep(20);
    };
    // Rows that were opened together fill their pages to 70 %, and spread as they are updated.
    for (let times = 0; times < 3; times += 1) await rounds();
    const stayed: boolean[] = [];
    for (let times = 0; times < 3; times += 1) {
      const before = await pages();
      await untilRemovable();
      await rounds();
      const after = await pages();
      stayed.push(...ids.map((id) => before.get(id) === after.get(id)));
    }
    // No index has a changing column, so whoever stays in its page touches none.
    expect(stayed.filter(Boolean).length / stayed.length).toBeGreaterThan(0.9);
  });

  it('looks everything up by primary keys, in a session that has made its plans when nearly nothing was there', async () => {
    const [cash = '', sales = ''] = await accounts(2);
    const legs = { debitAccountId: cash, creditAccountId: sales };
    const batchOf = (size: number): Posting[] => {
      const holds = Array.from({ length: size }, () =>
        posting({ ...legs, kind: 'hold', terms: { timeout_seconds: 3_600 } }),
      );
      const ends = holds
        .slice(0, size / 4)
        .map(({ id }) =>
          posting({ kind: 'void', targetId: id, amount: 0n, debitAccountId: null, creditAccountId: null }),
        );
      return [...holds, ...ends, ...holds.slice(0, size / 4), posting(legs)];
    };
    const one = posting({ ...legs, kind: 'hold', terms: { timeout_seconds: 3_600 } });
    const end = posting({ kind: 'void', targetId: one.id, amount: 0n });
    await post(ledger.tenants, [one]);
    await post(ledger.tenants, [end]);
    await ledger.database.admin(
      'vacuum analyze ledger.accounts, ledger.transfers, ledger.keys, ledger.timeouts',
    );
    const session = ledger.database.tenants(1);
    const read = async (): Promise<{ entries: number; rows: number }> => {
      const [row] = await ledger.database.admin<{ entries: number; rows: number }>(
        `select sum(idx_tup_read)::int as entries,
           (select sum(seq_tup_read)::int from pg_stat_user_tables where schemaname = 'ledger' and relname <> 'books') as rows
         from pg_stat_user_indexes where schemaname = 'ledger'`,
      );
      return row ?? { entries: 0, rows: 0 };
    };
    const batches = [batchOf(4), batchOf(400), batchOf(400), batchOf(400)];
    for (const batch of batches) await post(session, batch);
    const spent = async (): Promise<{ entries: number; rows: number }> => {
      const [before, last] = [await read(), batchOf(400)];
      await post(session, last);
      const after = await read();
      return { entries: (after.entries - before.entries) / last.length, rows: after.rows - before.rows };
    };
    let { entries, rows } = await spent();
    // Counters of sessions that have opened accounts may come late, and only once.
    for (let tries = 0; tries < 3 && rows > 0; tries += 1) ({ entries, rows } = await spent());
    // Of an item: its accounts, its key, itself, its target with what has ended that, and its timeout; each once or twice.
    expect(entries).toBeLessThan(12);
    expect(rows).toBe(0);
  });

  describe('refuses, whatever code runs,', () => {
    let wallet: string;
    const ids: Record<string, string> = {};

    beforeEach(async () => {
      const [cash = '', sales = ''] = await accounts(2);
      wallet = await ledger.open(caller, { limit: 'debits_must_not_exceed_credits' });
      const [plain, hold] = await ledger.post(caller, [cash, sales], {}, { kind: 'hold' });
      const [end] = await ledger.post(caller, [null, null], {
        kind: 'void',
        targetId: hold?.id ?? '',
        amount: 0n,
      });
      Object.assign(ids, { plain: plain?.id, hold: hold?.id, end: end?.id });
    });

    /** Another row like one that there is, but for the changes; its versions are the next ones. */
    const insertLike = (id: string, changes: Record<string, unknown>): Promise<unknown> =>
      ledger.database.admin(
        `insert into ledger.transfers
         select r.* from ledger.transfers t
         cross join lateral jsonb_populate_record(t, jsonb_build_object('debit_version', 1000, 'credit_version', 1000) || $2) r
         where t.id = $1`,
        [id, JSON.stringify({ id: newId(), ...changes })],
      );

    it('takes a row that breaks nothing, so that the rest says something', async () => {
      await insertLike(ids['plain'] ?? '', {});
      const rows = await ledger.database.admin(
        'select id from ledger.transfers where tenant_id = $1 and debit_version = 1000',
        [caller.tenantId],
      );
      expect(rows).toHaveLength(1);
    });

    it.each([
      ['a version twice on the debited account', 'plain', { debit_version: 1 }, 'debit_version_key'],
      ['a version twice on the credited account', 'plain', { credit_version: 1 }, 'credit_version_key'],
      ['a second end of a hold', 'end', {}, 'target_id_key'],
      ['an amount of nothing', 'plain', { amount: 0 }, 'amount_check'],
      ['one leg', 'plain', { credit_account_id: null }, 'effect_is_whole'],
      ['a total that leaves the amount out', 'plain', { debit_account_debits: 99 }, 'moved_counts'],
      [
        'a refusal with an effect',
        'plain',
        { refusal: 'ledger.overflow', actor: 'a' },
        'refusal_has_no_effect',
      ],
      ['a follower without a target', 'end', { target_id: null }, 'follower_has_target'],
      ['a transfer with a target', 'plain', { target_id: newId() }, 'follower_has_target'],
      ['a transfer that expires', 'plain', { expires_at: '2026-01-01' }, 'hold_expires'],
      ['a kind that there is not', 'plain', { kind: 'gift' }, 'kind_check'],
    ])('%s', async (_name, like, changes, constraint) => {
      await expect(insertLike(ids[like] ?? '', changes)).rejects.toThrow(constraint);
    });

    it.each([
      ['a posted total beyond the limit', 'posted_debits = 1'],
      ['a pending total beyond the limit', 'pending_debits = 1'],
      ['a total below zero', 'posted_credits = -1'],
    ])('%s', async (_name, change) => {
      await expect(
        ledger.database.admin(`update ledger.accounts set ${change} where id = $1`, [wallet]),
      ).rejects.toThrow('violates check constraint');
    });
  });
});
