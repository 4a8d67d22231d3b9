import { Administrator } from './administrator';
import { TestDatabase } from './test-database';

describe('The sessions of the superuser', () => {
  let database: TestDatabase;
  beforeEach(async () => void (database = await TestDatabase.create()));
  afterEach(() => database.drop());

  const pid = async (): Promise<number> => {
    const [session] = await database.admin<{ pid: number }>('select pg_backend_pid() as pid');
    return session?.pid ?? 0;
  };

  it('are used again, without what an earlier call has left in them', async () => {
    const first = await pid();
    await database.admin(
      "set search_path to ''; create temporary table left_behind (n int); prepare left_behind as select 1; set role holdfast_app",
    );
    const [left] = await database.admin(
      `select current_user as role, current_setting('search_path') as path, to_regclass('pg_temp.left_behind') as temporary,
              (select count(*)::int from pg_prepared_statements) as prepared, pg_backend_pid() as pid`,
    );
    expect(left).toEqual({
      role: 'postgres',
      path: '"$user", public',
      temporary: null,
      prepared: 0,
      pid: first,
    });
  });

  it('end with a transaction that was left open', async () => {
    const first = await pid();
    await database.admin('begin');
    expect(await pid()).not.toBe(first);
  });

  it('are replaced where the server has ended them', async () => {
    const first = await pid();
    const other = new Administrator(database.adminUrl);
    await other.run((client) => client.query('select pg_terminate_backend($1, 5000)', [first]));
    await other.close();
    expect(await pid()).not.toBe(first);
  });
});
