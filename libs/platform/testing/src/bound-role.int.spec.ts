import { Database } from '@holdfast/database';
import { findUnbound } from './bound-role';
import { TestDatabase, type TestRole } from './test-database';

// Guards isolation rule 22: what the tests connect as is bound by the policies, or they would pass for no reason.
describe('The connections of a test', () => {
  let database: TestDatabase;
  beforeAll(async () => void (database = await TestDatabase.create()));
  afterAll(() => database.drop());

  it.each<TestRole>([
    'holdfast_app',
    'holdfast_ops',
    'holdfast_auth',
    'holdfast_relay',
    'holdfast_sealer',
    'holdfast_jobs',
  ])('are bound by every policy as %s', async (role) =>
    expect(await findUnbound(database.as(role))).toEqual([]),
  );

  it('would not be as the administrator, which is found', async () => {
    const admin = new Database({ url: database.adminUrl, name: 'test' });
    expect(await findUnbound(admin)).toContainEqual(
      expect.stringMatching(/ is not bound by the policies of ledger\.accounts$/),
    );
    await admin.close();
  });
});
