import { Client } from 'pg';
import type { DevFile } from '../src/dev/dev-file';
import { DevProcess, type Ended, freshCheckout, holdfast, removeCheckout } from './dev-process';
import { Client as ApiClient } from './journal';
import { beginStoppingSaga } from './stopping-saga';

jest.setTimeout(180_000);

interface Group {
  readonly group: string;
  readonly pausedAt: string | null;
  readonly lag: { readonly events: number } | null;
}

// What an operator does when events are not delivered, with the verbs and nothing else.
describe('The verbs about events and sagas, beside a running holdfast dev', () => {
  const checkout = freshCheckout();
  const dev = new DevProcess(checkout, ['dev', '--no-demo']);
  let database: Client;
  let running: DevFile;
  beforeAll(async () => {
    running = await dev.ready();
    database = new Client({ connectionString: running.database.admin });
    await database.connect();
  });
  afterAll(async () => {
    await database.end();
    await dev.signal('SIGINT');
    removeCheckout(checkout);
  });

  const run = (...words: string[]): Promise<Ended> => holdfast(checkout, ['events', ...words]);
  async function json<Outcome>(...words: string[]): Promise<Outcome> {
    const { code, stdout, stderr } = await run(...words, '--json');
    if (code !== 0) throw new Error(`holdfast events ${words.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as Outcome;
  }
  const until = async (isSo: () => Promise<boolean>): Promise<void> => {
    for (let look = 0; look < 100 && !(await isSo()); look += 1)
      await new Promise((wait) => setTimeout(wait, 200));
    expect(await isSo()).toBe(true);
  };
  const used = async (): Promise<number> => {
    const { rows } = await database.query<{ used: number }>(
      'select coalesce(sum(event_count), 0)::int as used from tenants.usage_counts',
    );
    return rows[0]?.used ?? -1;
  };

  test('show groups, pause one, let it go on, and take it back', async () => {
    const names = (await json<{ groups: Group[] }>('status')).groups.map(({ group }) => group);
    expect(names).toEqual(expect.arrayContaining(['clickhouse', 'usage']));
    await json('pause', 'usage', '--reason', 'to see it wait');
    expect((await holdfast(checkout, ['tenant', 'create', 'acme'])).code).toBe(0);
    await until(async () => {
      const { groups } = await json<{ groups: Group[] }>('status');
      return groups.some(({ group, lag }) => group === 'usage' && (lag?.events ?? 0) > 0);
    });
    expect(await used()).toBe(0);
    expect((await run('groups', 'usage')).stdout).toContain('to see it wait');
    await json('resume', 'usage', '--reason', 'it has waited');
    await until(async () => (await used()) > 0);

    const before = await used();
    await database.query('update tenants.usage_counts set event_count = 4711');
    expect(await json('replay', 'usage', '--beginning', '--reason', 'counts were edited')).toMatchObject({
      group: 'usage',
      tick: '0',
    });
    await until(async () => (await used()) === before);
    await json('replay', 'usage', '--beginning', '--tenant', 'acme', '--reason', 'and for one');
    await until(async () => (await used()) === before + 1); // The trail says that it was replayed.
    const refused = await run('replay', 'usage', '--tick', '1', '--reason', 'it cannot', '--json');
    expect([refused.code, JSON.parse(refused.stderr)]).toMatchObject([
      1,
      { error: { code: 'events.replays_from_beginning' } },
    ]);
    expect((await run('replay', 'usage', '--reason', 'from where')).code).toBe(2);
    expect((await run('pause', 'nobody', '--reason', 'x')).code).toBe(1);
  });

  test('list what is quarantined and let it go on', async () => {
    const parked = `with tenant as (select tenant_id from tenants.tenants where slug = 'acme'),
        event as (select e.tenant_id, e.id from events.log e join tenant t on t.tenant_id = e.tenant_id order by e.seq limit 1),
        key as (insert into events.parked_keys (tenant_id, group_name, key, state, attempts, event_count, failed_event_id, last_error)
          select tenant_id, 'usage', $1, 'quarantined', 8, 1, id, 'Error: probe' from event returning tenant_id)
      insert into events.parked_events (tenant_id, group_name, key, place, event_id)
      select e.tenant_id, 'usage', $1, 1, e.id from event e, key`;
    await database.query(parked, ['probe/1']);
    await database.query(parked, ['probe/2']);
    expect(await json('quarantine', 'list')).toMatchObject([
      { group: 'usage', key: 'probe/1', eventCount: 1, lastError: 'Error: probe' },
      { key: 'probe/2' },
    ]);
    expect((await run('quarantine', 'release', 'usage', 'probe/1', '--reason', 'whose')).code).toBe(2);
    const skip = ['quarantine', 'release', 'usage', 'probe/1', '--tenant', 'acme', '--skip-first'];
    expect(await json(...skip, '--reason', 'made by a test')).toMatchObject([{ state: 'releasing' }]);
    expect(await json('quarantine', 'release', 'usage', '--all', '--reason', 'mended')).toMatchObject([
      { key: 'probe/2', skippedEventId: null },
    ]);
    await until(async () => {
      const { rows } = await database.query('select from events.parked_keys');
      return rows.length === 0;
    });
    expect(await json('quarantine', 'list', '--state', 'all')).toEqual([]);
  });

  test('show sagas that stand still, have them go on, and say who it was', async () => {
    const saga = (...words: string[]): Promise<Ended> => holdfast(checkout, ['saga', ...words]);
    expect((await holdfast(checkout, ['tenant', 'create', 'globex'])).code).toBe(0);
    const id = await beginStoppingSaga(running, database, 'globex');
    const listed = await saga('list', '--stuck', '--json');
    expect(JSON.parse(listed.stdout)).toMatchObject([
      { id, definition: 'test.stopping', state: 'needs_operator', reason: 'sagas.failed.RangeError' },
    ]);
    expect((await saga('list', '--tenant', 'globex', '--state', 'completed')).stdout).not.toContain(id);
    const settled = await saga('retry', 'globex', id, '--as', 'done', '--ticket', 'OPS-4711');
    expect(settled.stderr).toContain('a definition that this release does not have');
    const forgotten = await saga('retry', 'globex', id, '--ticket', 'OPS-4711');
    expect([forgotten.code, forgotten.stderr]).toEqual([2, expect.stringContaining('--as has to say what')]);
    const all = ['retry', '--definition', 'test.stopping'];
    expect((await saga(...all)).stdout).toContain('1 would go on. Nothing was done: that takes --yes.');
    expect((await saga(...all, '--yes')).stdout).toContain('1 of 1 go on within a second.');
    const refused = await saga('retry', 'globex', id, '--json');
    expect([refused.code, JSON.parse(refused.stderr)]).toMatchObject([
      1,
      { error: { code: 'sagas.not_stopped' } },
    ]);
    // Of a definition that this release does not have nobody knows whether it can still be given up.
    expect((await saga('cancel', 'globex', id)).stderr).toContain(
      'a definition that this release does not have',
    );
    const { stdout } = await saga('show', 'globex', id);
    expect(stdout).toMatch(/✔ +hold/);
    expect(stdout).toMatch(/step_completed +hold +system:test$/m);
    expect(stdout).toMatch(/operator_needed +post sagas.failed.RangeError/);
    expect(stdout).toMatch(/retried +system:operator \(operator:\S+\)$/m);
  });

  // It takes its seconds beside the next test.
  let drilling: Promise<Ended> | undefined;
  const drilled = (): Promise<Ended> =>
    (drilling ??= holdfast(checkout, ['drill', 'run', 'clickhouse-reads-open', '--seconds', '3', '--json']));

  test('give up a payment under way, which only its definition permits', async () => {
    void drilled();
    const made = await holdfast(checkout, ['key', 'create', 'globex', '--json']);
    const api = new ApiClient(running.api, (JSON.parse(made.stdout) as { secret: string }).secret);
    const account = { code: 'wallet', asset: 'EUR/2', normalBalance: 'credit' };
    const { id: fromAccountId } = (await api.post('/v1/ledger/accounts', account)).body;
    await database.query(
      `create function payments.sabotage() returns trigger language plpgsql as $$ begin raise exception 'sabotage'; end $$;
       create trigger sabotage before update of hold_id on payments.payments for each row execute function payments.sabotage()`,
    );
    const to = { toTenantId: fromAccountId, toAccountId: fromAccountId };
    const paid = { fromAccountId, ...to, asset: 'EUR/2', amount: '1' };
    const { id } = (await api.post('/v1/payments', paid)).body;
    const saga = (verb: string): Promise<Ended> => holdfast(checkout, ['saga', verb, 'globex', id]);
    expect((await saga('cancel')).stdout).toContain('It is given up before its next step.');
    await until(async () => {
      const { rows } = await database.query('select from sagas.sagas where id = $1 and ended_at is null', [
        id,
      ]);
      return rows.length === 0;
    });
    const { stdout } = await saga('show');
    expect(stdout).toMatch(/↩ +request +compensatable/);
    expect(stdout).toMatch(/decide +pivot/);
  });

  test('drill a dependency, say what was seen, and what is wrong with what was asked', async () => {
    const { code, stdout, stderr } = await drilled();
    expect([code, stderr]).toEqual([0, expect.stringContaining('drill clickhouse-reads-open: over')]);
    const { circuit } = JSON.parse(stdout) as { readonly circuit: readonly { readonly circuit: string }[] };
    expect(circuit.map((turn) => turn.circuit)).toEqual(['open', 'closed']);
    const away = ['drill', 'list', '--key', 'none', '--json', '--api', 'http://127.0.0.1:65535'];
    const [wrong, unreachable] = await Promise.all([
      holdfast(checkout, ['drill', 'run', 'clickhouse-reads-open', '--seconds', '301']),
      holdfast(checkout, away),
    ]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('seconds: Too big')]);
    expect([unreachable.code, unreachable.stderr]).toEqual([1, expect.stringContaining('cannot be reached')]);
  });
});
