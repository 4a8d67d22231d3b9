import { TestDatabase, testRoutes } from '@holdfast/testing';
import { Database } from './database';
import { setRoleSettings } from './session-settings';
import { statement } from './statement';
import { SystemTx } from './transaction';

const SETTINGS = statement<Record<string, string>>(
  'test.session_settings',
  `select current_setting('TimeZone') as zone, current_setting('statement_timeout') as statement,
     current_setting('lock_timeout') as lock, current_setting('idle_in_transaction_session_timeout') as idle`,
);
const POISON = statement(
  'test.session_poison',
  `select set_config('TimeZone', 'Asia/Tokyo', false), set_config('statement_timeout', '0', false)`,
);
const BOUNDED = { zone: 'UTC', statement: '5s', lock: '2s', idle: '10s' };

describe.each(testRoutes())('A session of ours, $route', (route) => {
  let test: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    test = await TestDatabase.createFor(route, 1);
    database = test.as('holdfast_app');
  });
  afterAll(() => test.drop());

  const read = (): Promise<Record<string, string>[]> =>
    database.transaction(
      (connection) => new SystemTx(connection),
      (tx) => tx.rows(SETTINGS),
    );

  it('is in UTC, and everything in it has an end', async () => {
    expect(await read()).toEqual([BOUNDED]);
  });

  it('is so again after a statement that has changed it', async () => {
    await database.transaction(
      (connection) => new SystemTx(connection),
      (tx) => tx.rows(POISON),
    );
    expect(await read()).toEqual([BOUNDED]);
  });

  it('serves more clients at once than there are connections, each transaction whole', async () => {
    const [one, other] = [test.as('holdfast_app', 4), test.as('holdfast_app', 4)];
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 === 0 ? one : other).transaction(
          (connection) => new SystemTx(connection),
          async (tx) => [await tx.rows(SETTINGS), await tx.rows(SETTINGS)],
        ),
      ),
    );
    expect(answers).toHaveLength(40);
    expect(answers.flat(2).every((row) => JSON.stringify(row) === JSON.stringify(BOUNDED))).toBe(true);
  });
});

describe('setRoleSettings', () => {
  it('makes them the settings of a session that says nothing, once', async () => {
    const test = await TestDatabase.create();
    await setRoleSettings(test.adminUrl, ['holdfast_app']);
    const url = new URL(test.url('holdfast_app'));
    url.searchParams.set('pgbouncer', 'true'); // As behind a pooler, which takes no options.
    const database = new Database({ url: url.href, name: 'test' });
    const rows = await database.transaction(
      (connection) => new SystemTx(connection),
      (tx) => tx.rows(SETTINGS),
    );
    expect(rows).toEqual([BOUNDED]);
    const versions = `select array_agg(s.xmin::text order by s.setrole) as versions from pg_db_role_setting s
      join pg_database d on d.oid = s.setdatabase where d.datname = current_database()`;
    const before = await test.admin(versions);
    await setRoleSettings(test.adminUrl, ['holdfast_app']);
    expect(await test.admin(versions)).toEqual(before);
    await database.close();
    await test.drop();
  });
});
