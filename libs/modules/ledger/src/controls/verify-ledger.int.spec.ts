import { type Caller, newId } from '@holdfast/kernel';
import { fillLedger, type FullLedger } from '../../test/full-ledger';
import { TestLedger } from '../../test/test-ledger';
import {
  BOOKED_BEGINNING,
  beginFull,
  type LedgerBreak,
  type VerifiedPage,
  verifyBooked,
  verifyPage,
} from './verify-ledger';

/** Of each mutation: what is changed as an administrator could, and which row is then named, by which rule. */
interface Mutation {
  readonly what: string;
  /** With {tenant} and the names of what the ledger has. */
  readonly sql: string;
  readonly rule: string;
  readonly relation: string;
  /** The row that is named: a name of the ledger's, or SQL that finds its id before the change. */
  readonly row: string;
  /** Found by a run over everything only. */
  readonly fullOnly?: true;
}

const ACCOUNT = `update ledger.accounts set`;
const TRANSFER = `update ledger.transfers set`;
const OF_TRANSFER = "where tenant_id = '{tenant}' and id = '{transfer}'";
const EVENT_OF_TRANSFER = "where tenant_id = '{tenant}' and stream_id = '{transfer}'";
const POST = "select id from ledger.transfers where tenant_id = '{tenant}' and target_id = '{postedHold}'";
const NEXT_OF_TRANSFER = `select n.id from ledger.transfers t
  join ledger.transfers n on n.tenant_id = t.tenant_id and n.debit_account_id = t.debit_account_id
    and n.debit_version = t.debit_version + 1
  where t.tenant_id = '{tenant}' and t.id = '{transfer}'`;
const COPY = (id: string, changes: string): string => `
  insert into ledger.transfers select (jsonb_populate_record(t, ${changes})).*
  from ledger.transfers t where t.tenant_id = '{tenant}' and t.id = ${id}`;
const STRAY = '01900000-0000-7000-8000-00000000abcd';

const MUTATIONS: readonly Mutation[] = [
  ...(
    [
      ['posted', 'a posted total of an account', 'posted_debits = posted_debits + 1'],
      ['posted', 'another posted total', 'posted_credits = posted_credits + 1'],
      ['pending', 'a pending total of an account', 'pending_debits = pending_debits - 1'],
      ['version', 'a version of an account', 'version = version + 1'],
      ['version', 'the version of an account set back', 'version = version - 1'],
      ['booked_at', 'the time of an account', `last_booked_at = last_booked_at - interval '1 hour'`],
    ] as const
  ).map(([rule, what, set]) => ({
    ...{ what, rule, relation: 'ledger.accounts', row: 'cash' },
    sql: `${ACCOUNT} ${set} where tenant_id = '{tenant}' and id = '{cash}'`,
  })),
  {
    what: 'money out of nowhere, on an account and in its last entry',
    sql: `${ACCOUNT} posted_debits = posted_debits + 1 where tenant_id = '{tenant}' and id = '{cash}'`,
    ...{ rule: 'sum', relation: 'ledger.accounts', row: "select 'EUR/2' as id", fullOnly: true },
  },
  {
    what: 'a limit that an account is beyond',
    sql: `${ACCOUNT} posted_debits = posted_credits + 1 where tenant_id = '{tenant}' and id = '{limited}'`,
    ...{ rule: 'limit', relation: 'ledger.accounts', row: 'limited' },
  },
  {
    what: 'a limit that an entry was beyond',
    sql: `${ACCOUNT} limit_rule = 'debits_must_not_exceed_credits' where tenant_id = '{tenant}' and id = '{cash}'`,
    ...{ rule: 'limit', relation: 'ledger.transfers', row: 'transfer' },
  },
  ...(
    [
      ['posted', 'the amount of a transfer', 'amount = amount + 1'],
      ['posted', 'a total of an entry', 'debit_account_debits = debit_account_debits + 1'],
      ['pending', 'a pending total of an entry', 'credit_account_held_credits = 5'],
      ['version', 'a gap in versions', 'debit_version = debit_version + 1000'],
      ['asset', 'the asset of a transfer', "asset = 'USD/2'"],
      ['booked_at', 'an instant before its predecessor', "booked_at = booked_at - interval '1 day'"],
      ['effective_date', 'a day that nobody asked for', "effective_date = '2020-01-01'"],
      ['account', 'an account that is not there', `debit_account_id = '${STRAY}'`],
      ['event', 'an account that the event does not tell of', `debit_account_id = '${STRAY}'`],
    ] as const
  ).map(([rule, what, set]) => ({
    ...{ what, rule, relation: 'ledger.transfers', row: 'transfer' },
    sql: `${TRANSFER} ${set} ${OF_TRANSFER}`,
  })),
  {
    what: 'a transfer that is gone, at the entry behind it',
    sql: `delete from ledger.transfers ${OF_TRANSFER}`,
    ...{ rule: 'version', relation: 'ledger.transfers', row: NEXT_OF_TRANSFER },
  },
  {
    what: 'a transfer that is gone, at its event',
    sql: `delete from ledger.transfers ${OF_TRANSFER}`,
    ...{ rule: 'transfer', relation: 'events.log', row: `select id from events.log ${EVENT_OF_TRANSFER}` },
    fullOnly: true,
  },
  {
    what: 'a version that two entries have',
    sql: COPY("'{transfer}'", `jsonb_build_object('id', '${STRAY}')`),
    ...{ rule: 'version', relation: 'ledger.transfers', row: NEXT_OF_TRANSFER },
  },
  {
    what: 'a hold that ended twice',
    sql: COPY(`(${POST})`, `jsonb_build_object('id', '${STRAY}')`),
    ...{ rule: 'target_once', relation: 'ledger.transfers', row: POST },
  },
  {
    what: 'a transfer that was reversed twice',
    sql: COPY(
      "'{transfer}'",
      `jsonb_build_object('id', '${STRAY}', 'kind', 'reversal', 'target_id', '{reversed}')`,
    ),
    ...{ rule: 'target_once', relation: 'ledger.transfers', row: 'reversed' },
  },
  {
    what: 'a post of more than was held',
    sql: `${TRANSFER} amount = 91 where tenant_id = '{tenant}' and target_id = '{postedHold}'`,
    ...{ rule: 'target_amount', relation: 'ledger.transfers', row: POST },
  },
  {
    what: 'a post after the time of its hold',
    sql: `${TRANSFER} expires_at = booked_at where tenant_id = '{tenant}' and id = '{postedHold}'`,
    ...{ rule: 'target_time', relation: 'ledger.transfers', row: POST },
  },
  {
    what: 'a post of something that is no hold',
    sql: `${TRANSFER} kind = 'transfer', expires_at = null where tenant_id = '{tenant}' and id = '{postedHold}'`,
    ...{ rule: 'target', relation: 'ledger.transfers', row: POST },
  },
  {
    what: 'a post between other accounts than its hold',
    sql: `${TRANSFER} credit_account_id = '{limited}' where tenant_id = '{tenant}' and id = '{postedHold}'`,
    ...{ rule: 'target_accounts', relation: 'ledger.transfers', row: POST },
  },
  {
    what: 'an open hold that is gone from what is pending',
    sql: `${TRANSFER} debit_account_held_debits = null where tenant_id = '{tenant}' and id = '{openHold}'`,
    ...{ rule: 'pending', relation: 'ledger.transfers', row: 'openHold' },
  },
  {
    what: 'a hold with a time that nothing waits for',
    sql: `delete from ledger.timeouts where tenant_id = '{tenant}' and hold_id = '{timedHold}'`,
    ...{ rule: 'timeout', relation: 'ledger.transfers', row: 'timedHold' },
  },
  {
    what: 'a timeout of a hold that has ended',
    sql: `insert into ledger.timeouts (tenant_id, hold_id, expires_at) values ('{tenant}', '{postedHold}', 'infinity')`,
    ...{ rule: 'timeout', relation: 'ledger.timeouts', row: 'postedHold', fullOnly: true },
  },
  {
    what: 'a key whose request left nothing',
    sql: `update ledger.keys set transfer_id = '${STRAY}' where tenant_id = '{tenant}'`,
    ...{ rule: 'key', relation: 'ledger.keys', fullOnly: true },
    row: "select idempotency_key as id from ledger.keys where tenant_id = '{tenant}'",
  },
  {
    what: 'an event that is gone',
    sql: `delete from events.log ${EVENT_OF_TRANSFER}`,
    ...{ rule: 'event', relation: 'ledger.transfers', row: 'transfer' },
  },
  {
    what: 'an event that tells of another amount',
    sql: `update events.log set data = data || '{"amount": "7"}' ${EVENT_OF_TRANSFER}`,
    ...{ rule: 'event', relation: 'ledger.transfers', row: 'transfer' },
  },
  ...(['asset', 'bookedAt'] as const).map((field) => ({
    what: `an event that tells of another ${field}`,
    sql: `update events.log set data = data || '{"${field}": "7"}' ${EVENT_OF_TRANSFER}`,
    ...{ rule: 'event', relation: 'ledger.transfers', row: 'transfer' },
  })),
  {
    what: 'an event too many',
    sql: `insert into events.log overriding system value select (jsonb_populate_record(e, jsonb_build_object('id', '${STRAY}', 'stream_version', 2))).*
      from events.log e ${EVENT_OF_TRANSFER}`,
    ...{ rule: 'transfer', relation: 'events.log', row: `select '${STRAY}' as id`, fullOnly: true },
  },
  {
    what: 'an event of what was refused',
    sql: `insert into events.log overriding system value select (jsonb_populate_record(e, jsonb_build_object('id', '${STRAY}', 'stream_id', '{refused}'))).*
      from events.log e ${EVENT_OF_TRANSFER}`,
    ...{ rule: 'event_of_refused', relation: 'ledger.transfers', row: 'refused', fullOnly: true },
  },
];

describe('Verifying a ledger', () => {
  let ledger: TestLedger;
  let caller: Caller;

  beforeAll(async () => {
    ledger = await TestLedger.start();
    // The last line of defence would refuse what is broken here.
    await ledger.database.admin(`alter table ledger.accounts drop constraint accounts_limit_holds;
      alter table ledger.transfers drop constraint transfers_moved_counts, drop constraint transfers_effect_is_whole;
      drop index ledger.transfers_tenant_id_target_id_key, ledger.transfers_tenant_id_debit_account_id_debit_version_key,
        ledger.transfers_tenant_id_credit_account_id_credit_version_key;
      create index on ledger.transfers (tenant_id, debit_account_id, debit_version);
      create index on ledger.transfers (tenant_id, credit_account_id, credit_version)`);
  });
  beforeEach(async () => {
    caller = await ledger.database.caller();
    await ledger.moveClock(0);
  });
  afterAll(() => ledger.close());

  /** Every page of a run, small ones, so that what belongs together is on different ones. */
  async function pages<Next>(
    first: Next,
    verify: (from: Next) => Promise<VerifiedPage<Next>>,
  ): Promise<{ breaks: LedgerBreak[]; checked: number }> {
    const breaks: LedgerBreak[] = [];
    let checked = 0;
    for (let next: Next | undefined = first; next !== undefined;) {
      const page: VerifiedPage<Next> = await verify(next);
      breaks.push(...page.breaks);
      checked += page.checked;
      next = page.next;
    }
    return { breaks, checked };
  }
  const everything = async (limit = 7): ReturnType<typeof pages> => {
    const first = await ledger.tenants.reading(caller, beginFull);
    return pages(first, (from) => ledger.tenants.reading(caller, (tx) => verifyPage(tx, from, limit)));
  };
  const booked = async (limit = 7): ReturnType<typeof pages> => {
    const { startedAt } = await ledger.tenants.reading(caller, beginFull);
    return pages(BOOKED_BEGINNING, (from) =>
      ledger.tenants.reading(caller, (tx) => verifyBooked(tx, from, startedAt, limit)),
    );
  };

  it('finds a ledger sound that has something of everything in it', async () => {
    await fillLedger(ledger, caller);
    const [full, recent] = [await everything(), await booked()];
    expect([full.breaks, recent.breaks]).toEqual([[], []]);
    const [rows] = await ledger.database.admin<Record<string, number>>(
      `select (select count(*) from ledger.transfers where tenant_id = $1)::int as transfers,
         (select count(*) from ledger.transfers where tenant_id = $1 and refusal is null)::int as effective,
         (select count(*) from ledger.accounts where tenant_id = $1)::int as accounts,
         (select count(*) from ledger.timeouts where tenant_id = $1)::int as timeouts,
         (select count(*) from ledger.keys where tenant_id = $1)::int as keys,
         (select count(*) from events.log where tenant_id = $1)::int as events`,
      [caller.tenantId],
    );
    const { transfers = 0, effective = 0, accounts = 0, timeouts = 0, keys = 0, events = 0 } = rows ?? {};
    expect(full.checked).toBe(transfers + accounts + timeouts + keys + events);
    expect(recent.checked).toBe(effective);
    expect(transfers).toBeGreaterThan(effective);
    expect(timeouts).toBeGreaterThan(0);
  });

  it.each(MUTATIONS)('finds $what ($rule)', async (mutation) => {
    const names = { ...(await fillLedger(ledger, caller)), tenant: caller.tenantId };
    const filled = (text: string): string =>
      text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => names[name as keyof FullLedger] ?? whole);
    const [row] = mutation.row.startsWith('select')
      ? await ledger.database.admin<{ id: string }>(filled(mutation.row))
      : [{ id: names[mutation.row as keyof FullLedger] }];
    await ledger.database.admin(`set session_replication_role = replica; ${filled(mutation.sql)}`);
    const named = { rule: mutation.rule, relation: mutation.relation, rowId: row?.id };
    expect((await everything()).breaks).toContainEqual({ ...named, expected: expect.any(String) });
    if (!mutation.fullOnly)
      expect((await booked()).breaks).toContainEqual({ ...named, expected: expect.any(String) });
  });

  it('finds a ledger sound whose older events the retention has removed, and one without its last event not', async () => {
    const { tenantId } = caller;
    const { reversed } = await fillLedger(ledger, caller);
    const remove = (which: string): Promise<unknown> =>
      ledger.database.admin(
        `set session_replication_role = replica; delete from events.log e where tenant_id = '${tenantId}' and ${which}`,
      );
    await remove(`exists (select from events.log n where n.tenant_id = e.tenant_id and n.stream_type = e.stream_type
      and n.stream_id = e.stream_id and n.stream_version > e.stream_version)`);
    const named = { rule: 'event', relation: 'ledger.transfers', rowId: reversed };
    expect((await everything()).breaks).toContainEqual(expect.objectContaining(named));
    const payload = JSON.stringify({ tenantId, epoch: 1, prunedTo: '9', size: '9', root: 'x' });
    const event = { id: newId(), type: 'audit.log.pruned', schemaVersion: 1, streamType: 'audit.log' };
    await ledger.tenants.transaction(await ledger.database.part('pruner', tenantId), (tx) =>
      tx.announce({ ...event, streamId: newId(), streamVersion: 1n, payload }),
    );
    expect([(await everything()).breaks, (await booked()).breaks]).toEqual([[], []]);
    await remove(`stream_id = '${reversed}'`);
    expect((await booked()).breaks).toContainEqual(expect.objectContaining(named));
  });

  it('says what would hold', async () => {
    const { cash } = await fillLedger(ledger, caller);
    const [before] = await ledger.database.admin<{ debits: string; credits: string; version: string }>(
      `select posted_debits as debits, posted_credits as credits, version from ledger.accounts where id = $1`,
      [cash],
    );
    await ledger.database.admin('update ledger.accounts set posted_debits = 1 where id = $1', [cash]);
    const [found] = (await booked()).breaks;
    expect(found?.expected).toBe(
      `posted debits ${before?.debits} and credits ${before?.credits}, as version ${before?.version} left them`,
    );
  });

  it('finds a ledger sound while others post to it', async () => {
    const { cash, sales } = await fillLedger(ledger, caller);
    const at = { posted: 0, isOver: false };
    const writers = Array.from({ length: 3 }, async () => {
      while (!at.isOver) {
        const [held] = await ledger.post(
          caller,
          [cash, sales],
          { kind: 'hold', terms: { timeout_seconds: 900 } },
          {},
        );
        await ledger.follow(caller, at.posted % 2 === 0 ? 'post' : 'void', held?.id ?? '');
        at.posted += 1;
      }
    });
    const breaks: LedgerBreak[] = [];
    for (let rounds = 0; rounds < 3 || at.posted < 20; rounds += 1)
      breaks.push(...(await everything(200)).breaks, ...(await booked(200)).breaks);
    at.isOver = true;
    await Promise.all(writers);
    expect(breaks).toEqual([]);
    expect((await everything(500)).breaks).toEqual([]);
  });
});
