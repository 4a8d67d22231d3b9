import { type Caller, newId } from '@holdfast/kernel';
import { TestLedger } from '../../test/test-ledger';
import { controlBroken } from '../ledger.events';
import { LedgerControls } from './ledger-controls';

describe('The controls of the ledger', () => {
  let ledger: TestLedger;
  let caller: Caller;
  let cash: string;
  let sales: string;
  const reports: string[] = [];

  beforeAll(async () => void (ledger = await TestLedger.start()));
  beforeEach(async () => {
    caller = await ledger.database.caller();
    [cash, sales] = [await ledger.open(caller), await ledger.open(caller)];
    reports.length = 0;
  });
  afterEach(() => ledger.database.admin('truncate ledger.breaks, ledger.controls, events.heads'));
  afterAll(() => ledger.close());

  const controls = (): LedgerControls =>
    new LedgerControls({
      tenants: ledger.tenants,
      relay: ledger.database.as('holdfast_relay', 2),
      grants: ledger.grants,
      report: (error) => void reports.push(String(error)),
      pageSize: 20,
      marginSeconds: 0,
    });

  async function post(count: number): Promise<void> {
    await ledger.post(caller, [cash, sales], ...Array.from({ length: count }, () => ({})));
    // What the sequencer does.
    await ledger.database.admin(
      `insert into events.heads (tenant_id, tick) values ($1, 1) on conflict (tenant_id) do update set tick = events.heads.tick + 1`,
      [caller.tenantId],
    );
  }
  const spoil = (column: 'posted_debits' | 'posted_credits', by: number): Promise<unknown> =>
    ledger.database.admin(`update ledger.accounts set ${column} = ${column} + ${by} where id = $1`, [cash]);
  const rows = <Row>(text: string): Promise<Row[]> => ledger.database.admin<Row>(text, [caller.tenantId]);
  const announced = (): Promise<{ data: unknown; actor: string }[]> =>
    rows(
      `select data, actor from events.log where tenant_id = $1 and type = '${controlBroken.type}' order by seq`,
    );
  const verifiedTick = async (): Promise<unknown> =>
    (await rows<{ tick: string }>('select tick from ledger.controls where tenant_id = $1'))[0]?.tick;
  const everythingIsDue = (): Promise<unknown> =>
    ledger.database.admin("update ledger.controls set full_due_at = '-infinity'");

  it('finds nothing in a sound ledger, and comes back only when something was booked', async () => {
    await post(100);
    const one = controls();
    expect(await one.verifyDue()).toBe(false);
    expect([reports, await announced(), await verifiedTick()]).toEqual([[], [], '1']);
    // Nobody looks where nothing happens: not even at what was spoilt by hand, which is for the run over everything.
    await spoil('posted_debits', 1);
    await one.verifyDue();
    expect(await announced()).toEqual([]);
    await post(1);
    await one.verifyDue();
    expect(await verifiedTick()).toBe('2');
    expect(await announced()).not.toEqual([]);
  });

  it('announces a break once, with its row, and forgets it when it is mended', async () => {
    await post(30);
    await spoil('posted_credits', 5);
    const both = [controls(), controls()];
    for (let rounds = 0; rounds < 3; rounds += 1) {
      await Promise.all(both.map((each) => each.verifyDue()));
      await everythingIsDue();
    }
    const events = await announced();
    expect(events.map(({ data }) => controlBroken.schema.parse(data))).toEqual(
      expect.arrayContaining([
        {
          ...{ rule: 'posted', table: 'ledger.accounts', rowId: cash },
          expected: 'posted debits 3000 and credits 0, as version 30 left them',
        },
        { rule: 'sum', table: 'ledger.accounts', rowId: 'EUR/2', expected: expect.stringContaining('3005') },
      ]),
    );
    expect(events).toHaveLength(2);
    expect(events[0]?.actor).toBe('system:ledger');
    expect(reports).toHaveLength(2);
    expect(reports.join()).toContain(`tenant ${caller.tenantId}, ledger.accounts ${cash}, rule posted`);

    await spoil('posted_credits', -5);
    await controls().verifyDue();
    expect(await rows('select id from ledger.breaks where tenant_id = $1')).toEqual([]);
    await everythingIsDue();
    await spoil('posted_credits', 5);
    await controls().verifyDue();
    expect(await announced()).toHaveLength(4);
  });

  it('leaves a ledger that is in other hands, and goes on where they have ended', async () => {
    await post(100);
    await ledger.database.admin(
      `insert into ledger.controls (tenant_id, holder, lease_until, full_progress)
       select $1, $2, now() + interval '1 minute', jsonb_build_object('startedAt', now(), 'subject', 1, 'after', $3::text)`,
      [caller.tenantId, newId(), '00000000-0000-0000-0000-000000000000'],
    );
    await controls().verifyDue();
    expect(await verifiedTick()).toBe('0');
    // Its holder is gone. Transfers are behind it, accounts are not.
    await rows(`update ledger.controls set lease_until = now() - interval '1 second' where tenant_id = $1`);
    await spoil('posted_debits', 1);
    await controls().verifyDue();
    expect(await rows('select full_progress, holder from ledger.controls where tenant_id = $1')).toEqual([
      { full_progress: null, holder: null },
    ]);
    expect(await announced()).not.toEqual([]);
  });

  it('judges nothing of a ledger that is being imported, and all of it afterwards', async () => {
    await post(5);
    await ledger.beginImport(caller);
    await spoil('posted_debits', 1);
    await controls().verifyDue();
    expect([await announced(), await verifiedTick()]).toEqual([[], undefined]);
    await ledger.endImport(caller);
    await controls().verifyDue();
    expect(await announced()).not.toEqual([]);
  });

  it('verifies no further than what may still be booked', async () => {
    await post(5);
    await controls().verifyDue();
    let release = (): void => {};
    const open = new Promise<void>((resolve) => (release = resolve));
    let begun = (): void => {};
    const isOpen = new Promise<void>((resolve) => (begun = resolve));
    const long = ledger.tenants.transaction(caller, async () => {
      begun();
      await open;
    });
    await isOpen;
    // The transaction has to be open on the server before anything is booked behind it.
    for (let look = 0; look < 100; look += 1) {
      const [row] = await ledger.database.admin<{ open: number }>(
        `select count(*)::int as open from pg_stat_activity
         where datname = current_database() and usename = 'holdfast_app' and state = 'idle in transaction'`,
      );
      if (row?.open) break;
    }
    await post(5);
    await controls().verifyDue();
    expect(await verifiedTick()).toBe('1');
    release();
    await long;
    await controls().verifyDue();
    expect(await verifiedTick()).toBe('2');
  });
});
