import { type Caller, newId } from '@holdfast/kernel';
import { UtilityStatementRefused } from '@holdfast/database';
import { fixtureMade, TestDatabase, testRoutes } from '@holdfast/testing';
import { Attack } from '../test/attack';
import type { TenantDatabase } from './tenant-database';

const SETTINGS: Readonly<Record<string, string>> = {
  search_path: 'pg_temp, public',
  row_security: 'off',
  synchronous_commit: 'off',
  default_transaction_isolation: 'serializable',
  default_transaction_read_only: 'on',
  default_transaction_deferrable: 'on',
  statement_timeout: '100',
  lock_timeout: '100',
  transaction_timeout: '1000',
  idle_in_transaction_session_timeout: '100',
  idle_session_timeout: '100000',
  client_encoding: 'LATIN1',
  TimeZone: 'Pacific/Auckland',
  DateStyle: 'German',
  IntervalStyle: 'sql_standard',
  bytea_output: 'escape',
  extra_float_digits: '-15',
  client_min_messages: 'debug5',
  application_name: 'somebody else',
  standard_conforming_strings: 'off',
  enable_indexscan: 'off',
  plan_cache_mode: 'force_generic_plan',
  work_mem: '64',
  local_preload_libraries: '../x',
  default_text_search_config: 'pg_catalog.german',
  xmlbinary: 'hex',
  role: 'none',
  'holdfast.context': 'x',
  'holdfast.invented': 'x',
};

const STATE = `select
  (select jsonb_object_agg(s.name, s.setting) from pg_settings s) as settings,
  (select count(*)::int from pg_cursors c where c.is_holdable) as cursors,
  (select count(*)::int from pg_prepared_statements p where p.name in ('poison', 'values')) as prepared,
  (select count(*)::int from pg_listening_channels()) as channels,
  (select count(*)::int from pg_locks l where l.pid = pg_backend_pid() and l.locktype = 'advisory') as locks,
  current_setting('holdfast.invented', true) as invented, current_user::text, session_user::text,
  current_setting('transaction_isolation') as isolation, pg_backend_pid() as pid`;

describe.each(testRoutes())('A session that one tenant has used, $route', (route) => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let attacker: Caller;
  let next: Caller;
  const attack = new Attack('session', (tenantId) => tenantId === next.tenantId);
  const inject: Attack['inject'] = (...attempt) => attack.inject(...attempt);

  beforeAll(async () => {
    database = await TestDatabase.createFor(route, 1);
    tenants = database.tenants(1); // One connection: whoever comes next gets the same session.
    [attacker, next] = [await database.caller(newId()), await database.caller(newId())];
  });
  afterAll(() => database.drop());

  const stateForNext = (): Promise<Record<string, unknown>> =>
    tenants.transaction(next, async (tx) => (await inject(tx, STATE))[0]!);

  it.each(Object.entries(SETTINGS))('comes to the next without a changed %s', async (name, value) => {
    const before = await stateForNext();
    await tenants
      .transaction(attacker, (tx) => inject(tx, 'select set_config($1, $2, false)', [name, value]))
      .catch(() => undefined); // A setting that ends its own transaction has been made all the same, or has not.
    expect({ ...(await stateForNext()), pid: 0, invented: '' }).toEqual({ ...before, pid: 0, invented: '' });
    expect((await stateForNext())['invented'] || null).toBeNull();
  });

  it.each(['row_security', 'search_path', 'TimeZone'])(
    'comes to the next without a changed row of pg_settings: %s',
    async (name) => {
      const before = await stateForNext();
      await tenants.transaction(attacker, (tx) =>
        inject(tx, 'update pg_settings set setting = $2 where name = $1', [
          name,
          name === 'row_security' ? 'off' : 'UTC-7',
        ]),
      );
      expect({ ...(await stateForNext()), pid: 0 }).toEqual({ ...before, pid: 0 });
    },
  );

  it('gives the next a transaction of the usual kind, whatever was set before it began', async () => {
    for (const [name, value] of [
      ['default_transaction_isolation', 'serializable'],
      ['default_transaction_read_only', 'on'],
    ]) {
      await tenants.transaction(attacker, (tx) =>
        inject(tx, 'select set_config($1, $2, false)', [name, value]),
      );
      expect(await stateForNext()).toMatchObject({ isolation: 'read committed' });
      await tenants.transaction(attacker, (tx) =>
        inject(tx, 'select set_config($1, $2, false)', [name, value]),
      );
      const insert = 'insert into tenants.tenants (tenant_id, slug, name) values ($1, $2, $2) returning slug';
      const slug = String(name).replaceAll('_', '-');
      const caller = await database.caller();
      const inserting = tenants.transaction(caller, async (tx) => {
        await tx.announce(fixtureMade());
        return inject(tx, insert, [tx.tenantId, slug]);
      });
      expect(await inserting).toEqual([{ slug }]);
    }
  });

  it('is reset even when the transactions in between fail', async () => {
    const before = await stateForNext();
    await tenants.transaction(attacker, (tx) =>
      inject(tx, `select set_config('search_path', 'public', false)`),
    );
    for (let failed = 0; failed < 3; failed += 1) {
      await expect(tenants.transaction(next, (tx) => inject(tx, 'select 1 / 0'))).rejects.toMatchObject({
        code: '22012',
      });
    }
    expect(await stateForNext()).toEqual(before);
  });

  it.each([
    [
      'a session-level advisory lock',
      'select pg_advisory_lock(1), pg_advisory_lock_shared(2), pg_try_advisory_lock(3, 4)',
    ],
    ['a large object', 'select lo_create(4711)'],
    ['a large object with contents', `select lo_from_bytea(4712, 'secret')`],
    [
      'an ended connection of somebody else',
      'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()',
    ],
    [
      'a cancelled statement of somebody else',
      'select pg_cancel_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()',
    ],
    ['a message to replicas', `select pg_logical_emit_message(false, 'events', 'forged')`],
  ])('was not left with %s', async (_, text) => {
    await expect(tenants.transaction(attacker, (tx) => inject(tx, text))).rejects.toMatchObject({
      code: '42501',
    });
    expect(await stateForNext()).toMatchObject({ locks: 0 });
    expect(await database.admin('select oid from pg_largeobject_metadata')).toEqual([]);
  });

  it('is left with nothing by a notification, a lock of the transaction, or a snapshot that was handed out', async () => {
    const before = await stateForNext();
    await tenants.transaction(attacker, (tx) =>
      inject(tx, `select pg_notify('holdfast_tick', '1'), pg_advisory_xact_lock(1), pg_export_snapshot()`),
    );
    expect({ ...(await stateForNext()), pid: 0 }).toEqual({ ...before, pid: 0 });
  });

  it('gives back advisory locks even where everybody may take them', async () => {
    await database.admin('grant execute on function pg_advisory_lock(bigint) to holdfast_app');
    await tenants.transaction(attacker, (tx) => inject(tx, 'select pg_advisory_lock(1)'));
    expect(await stateForNext()).toMatchObject({ locks: 0 });
  });

  it.each([
    'declare poison cursor with hold for select 1',
    'prepare poison as select 1',
    'deallocate all',
    'listen poison',
    'discard all',
    '-- \rlisten \nvalues',
    '-- \rprepare \nvalues as select 1',
    '/* /* */ select */ listen poison',
    'notify poison',
    'fetch all from poison',
    'execute poison',
    'explain select 1',
    'show all',
    'copy tenants.tenants to stdout',
    `copy (select 1) to program 'true'`,
    'create temp table poison (a int)',
    'lock table tenants.tenants in access exclusive mode',
    'do $$ begin perform 1; end $$',
    'call poison()',
    'commit',
    'begin',
    'savepoint poison',
    'set local role holdfast_owner',
    'set session authorization holdfast_auth',
    'grant holdfast_owner to holdfast_app',
    'vacuum',
    'checkpoint',
    `load 'poison'`,
    'table tenants.tenants',
  ])('was never given the utility statement: %s', async (text) => {
    await expect(tenants.transaction(attacker, (tx) => inject(tx, text))).rejects.toThrow(
      UtilityStatementRefused,
    );
    expect(await stateForNext()).toMatchObject({ cursors: 0, prepared: 0, channels: 0 });
  });

  it.each([
    ['two commands in one text', 'select 1; listen poison'],
    ['two commands, the second after the end of the transaction', 'select 1; commit; listen poison'],
    ['a command in a data-modifying query', 'with a as (listen poison) select 1'],
    ['a temporary table', 'select 1 as a into temp poison'],
    ['a table', 'select 1 as a into public.poison'],
    ['SQL run by query_to_xml', `select query_to_xml('listen poison', true, true, '')`],
    ['a setting by query_to_xml', `select query_to_xml('set search_path to poison', true, true, '')`],
    [
      'a cursor by query_to_xml',
      `select query_to_xml('declare poison cursor with hold for select 1', true, true, '')`,
    ],
    [
      'a write by query_to_xml',
      `select query_to_xml('update tenants.tenants set name = null', true, true, '')`,
    ],
    ['SQL run by ts_stat', `select ts_stat('listen poison')`],
    ['SQL run by ts_rewrite', `select ts_rewrite('a'::tsquery, 'prepare poison as select 1')`],
    ['a cursor by name', `select cursor_to_xml('poison', 1, true, true, '')`],
    ['an anonymous block in a function call', `select plpgsql_call_handler()`],
  ])('was left clean by %s', async (_, text) => {
    const before = await stateForNext();
    await expect(tenants.transaction(attacker, (tx) => inject(tx, text))).rejects.toThrow(Error);
    expect({ ...(await stateForNext()), pid: 0 }).toEqual({ ...before, pid: 0 });
    expect(await database.admin(`select relname from pg_class where relname = 'poison'`)).toEqual([]);
  });

  it('does not keep a text under the name of another statement', async () => {
    const known = { name: 'attack.known', text: 'select 1 as answer' };
    await tenants.transaction(attacker, (tx) =>
      tx.rows({ name: 'attack.known', text: 'select 2 as answer' }),
    );
    const rows = await tenants.transaction(next, (tx) => tx.rows(known)).catch(() => 'refused');
    // By the driver, which then gives up the connection. Behind a pooler no statement has a name.
    expect(rows).toEqual(route.route === 'directly' ? 'refused' : [{ answer: 1 }]);
    expect(await tenants.transaction(next, (tx) => tx.rows(known))).toEqual([{ answer: 1 }]);
  });

  it('runs no second command for a statement without a name', async () => {
    const text = `select 1; select set_config('search_path', 'poison', false)`;
    await expect(tenants.transaction(attacker, (tx) => tx.rows({ name: '', text }))).rejects.toMatchObject({
      code: '42601',
    });
  });

  it('has been attacked', () => {
    attack.report(route.route);
    expect(attack.attempts).toBeGreaterThan(100);
  });
});
