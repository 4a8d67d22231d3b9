import { type Caller, newId } from '@holdfast/kernel';
import { TestLedger } from '../../test/test-ledger';
import { holdExpired } from '../ledger.events';
import { HoldSweeper } from './hold-sweeper';

describe('The sweeper of holds', () => {
  let ledger: TestLedger;
  let caller: Caller;
  let accounts: readonly [string, string];
  const failures: string[] = [];

  beforeAll(async () => void (ledger = await TestLedger.start()));
  beforeEach(async () => {
    caller = await ledger.database.caller();
    accounts = [await ledger.open(caller), await ledger.open(caller)];
    failures.length = 0;
  });
  afterEach(async () => {
    await ledger.moveClock(0);
    // What a test leaves would be due for the next.
    await ledger.database.admin('truncate ledger.timeouts');
  });
  afterAll(() => ledger.close());

  const sweeper = (pageSize = 500): HoldSweeper =>
    new HoldSweeper({
      tenants: ledger.tenants,
      relay: ledger.database.as('holdfast_relay', 2),
      grants: ledger.grants,
      report: (error, doing) => void failures.push(`${doing}: ${String(error)}`),
      pageSize,
    });

  async function hold(count = 1, by = caller, legs = accounts): Promise<string[]> {
    const asked = Array.from({ length: count }, () => ({
      kind: 'hold' as const,
      terms: { timeout_seconds: 60 },
    }));
    return (await ledger.post(by, legs, ...asked)).map(({ id }) => id);
  }

  async function read<Row>(text: string, tenant = caller.tenantId): Promise<Row[]> {
    return ledger.database.admin<Row>(text, [tenant]);
  }
  const endsOf = (): Promise<{ kind: string; target_id: string }[]> =>
    read(`select kind, target_id from ledger.transfers
      where tenant_id = $1 and refusal is null and target_id is not null order by booked_at, id`);
  const pending = async (tenant = caller.tenantId): Promise<string> => {
    const [row] = await read<{ sum: string }>(
      'select sum(pending_debits) + sum(pending_credits) as sum from ledger.accounts where tenant_id = $1',
      tenant,
    );
    return row?.sum ?? '';
  };
  const timeouts = async (): Promise<number> =>
    (await read('select hold_id from ledger.timeouts where tenant_id = $1')).length;

  it('gives back what is due and nothing else, with an event by the system', async () => {
    const [held = ''] = await hold();
    expect(await sweeper().sweep()).toBe(0);
    await ledger.moveClock(61);
    const [later = ''] = await hold();
    expect(await sweeper().sweep()).toBe(1);
    expect(await endsOf()).toEqual([{ kind: 'expiry', target_id: held }]);
    expect(await pending()).toBe('200');
    const events = await read<{ type: string; actor: string; data: unknown }>(
      `select type, actor, data from events.log where tenant_id = $1 and stream_id = '${held}' and stream_version = 2`,
    );
    expect(events).toMatchObject([{ type: holdExpired.type, actor: 'system:ledger' }]);
    expect(holdExpired.schema.parse(events[0]?.data)).toMatchObject({ amount: '100' });
    expect(await read('select hold_id from ledger.timeouts where tenant_id = $1')).toEqual([
      { hold_id: later },
    ]);
  });

  it('agrees with posts on the order: who comes after the time finds the hold expired, swept or not', async () => {
    const [early = '', late = ''] = await hold(2);
    await ledger.moveClock(59);
    expect(await ledger.follow(caller, 'post', early)).toBe('created');
    await ledger.moveClock(60.5);
    expect(await ledger.follow(caller, 'post', late)).toBe('ledger.hold_expired');
    expect(await sweeper().sweep()).toBe(1);
    expect(await ledger.follow(caller, 'void', late)).toBe('ledger.hold_expired');
    expect((await endsOf()).map(({ kind }) => kind)).toEqual(['post', 'expiry']);
    expect(await pending()).toBe('0');
  });

  it('ends each hold once when several sweepers are at work, while others post and void', async () => {
    const holds = await hold(60);
    await ledger.moveClock(59.8);
    const ends = holds
      .slice(0, 20)
      .map((id, index) => ledger.follow(caller, index % 2 === 0 ? 'post' : 'void', id));
    await ledger.moveClock(61);
    const sweepers = [sweeper(7), sweeper(7), sweeper(7)];
    const tally = async (): Promise<number> => {
      const swept = await Promise.all(sweepers.map((each) => each.sweep()));
      return swept.reduce((sum, each) => sum + each, 0);
    };
    let expired = 0;
    for (let rounds = 0; rounds < 50 && (await timeouts()) > 0; rounds += 1) expired += await tally();
    const ended = (await Promise.all(ends)).filter((result) => result === 'created').length;
    expect(expired + ended).toBe(holds.length);
    const targets = (await endsOf()).map((each) => each.target_id);
    expect(targets.toSorted()).toEqual(holds.toSorted());
    expect(await pending()).toBe('0');
    expect(failures).toEqual([]);
  });

  it('goes on where another was killed between two pages', async () => {
    await hold(30);
    await ledger.moveClock(61);
    const killed = sweeper(5);
    // It ends four pages of five, and is then no more.
    expect(await killed.sweep()).toBe(20);
    expect(await sweeper(5).sweep()).toBe(10);
    expect([await timeouts(), await pending()]).toEqual([0, '0']);
  });

  it('looks at what is due and at none of what is not', async () => {
    await read(`insert into ledger.timeouts (tenant_id, hold_id, expires_at)
      select $1, gen_random_uuid(), now() + interval '1 day' from generate_series(1, 50000)`);
    await hold(1);
    await ledger.moveClock(61);
    // A clock that takes its time: asked of each row it would take minutes, and the statement would be ended.
    await ledger.database
      .admin(`create or replace function ledger.clock() returns timestamptz language sql volatile
      as $$ select clock_timestamp() + make_interval(secs => 61) from pg_sleep(0.005) $$`);
    expect([await sweeper().sweep(), failures]).toEqual([1, []]);
  });

  it('has a turn for each tenant, however much another has', async () => {
    const other = await ledger.database.caller();
    const legs = [await ledger.open(other), await ledger.open(other)] as const;
    await hold(40);
    await hold(1, other, legs);
    await ledger.moveClock(61);
    expect([await sweeper(5).sweep(), failures]).toEqual([21, []]);
    expect(await pending(other.tenantId)).toBe('0');
  });

  it('ends holds of suspended tenants', async () => {
    await hold();
    await ledger.database.admin(
      `insert into auth.tenants (id, state) values ($1, 'suspended')
       on conflict (id) do update set state = excluded.state`,
      [caller.tenantId],
    );
    await ledger.moveClock(61);
    expect(await sweeper().sweep()).toBe(1);
  });

  it('takes away a row whose hold has ended or never was, and does not come back to it', async () => {
    const [held = ''] = await hold();
    await ledger.follow(caller, 'void', held);
    await read(`insert into ledger.timeouts (tenant_id, hold_id, expires_at)
      values ($1, '${held}', now() - interval '1 hour'), ($1, '${newId()}', now() - interval '1 hour')`);
    expect(await sweeper().sweep()).toBe(0);
    expect([await timeouts(), failures]).toEqual([0, []]);
  });

  it('leaves a tenant alone that is being imported, whose timeouts come before their holds', async () => {
    const [held = ''] = await hold();
    await ledger.beginImport(caller);
    await read(`insert into ledger.timeouts (tenant_id, hold_id, expires_at)
      values ($1, '${newId()}', now() - interval '1 hour')`);
    await ledger.moveClock(61);
    expect([await sweeper().sweep(), await timeouts()]).toEqual([0, 2]);
    await ledger.endImport(caller);
    expect([await sweeper().sweep(), await timeouts()]).toEqual([1, 0]);
    expect(await endsOf()).toEqual([{ kind: 'expiry', target_id: held }]);
  });

  it('leaves a hold that is not due by the clock of the decision, and ends it later', async () => {
    await hold();
    await read(`update ledger.timeouts set expires_at = now() - interval '1 hour' where tenant_id = $1`);
    expect(await sweeper().sweep()).toBe(0);
    expect([await timeouts(), failures]).toEqual([1, []]);
    await ledger.moveClock(61);
    expect(await sweeper().sweep()).toBe(1);
  });

  it('ends the others when one cannot be ended, and says which', async () => {
    const holds = await hold(9);
    const [broken = ''] = await hold(1, caller, [await ledger.open(caller), await ledger.open(caller)]);
    // Less is held on its accounts than it holds: to give it back would pass below zero.
    await read(`update ledger.accounts a set pending_debits = 0, pending_credits = 0
      from ledger.transfers t where a.tenant_id = $1 and t.tenant_id = $1 and t.id = '${broken}'
        and a.id in (t.debit_account_id, t.credit_account_id)`);
    await ledger.moveClock(61);
    const one = sweeper();
    expect([await one.sweep(), await one.sweep()]).toEqual([holds.length, 0]);
    // Once, and then again after a minute.
    expect(failures).toEqual([expect.stringContaining(broken)]);
    expect(await timeouts()).toBe(1);
  });
});
