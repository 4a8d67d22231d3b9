import { FAILURES, Failing, FailingModule } from './isolation/failing.module';
import { findDatabaseDetail } from './isolation/database-detail';
import { TestApi } from './test-api';

// Guards isolation rule 13: database detail, hint and constraint text never reach a client.
describe('An error of the database', () => {
  let api: TestApi;
  beforeAll(async () => void (api = await TestApi.start({}, [FailingModule])));
  afterAll(() => api.close());

  it('reaches no client with a word of its own', async () => {
    expect(await findDatabaseDetail(api)).toEqual([]);
  });

  it.each(Object.keys(FAILURES))(
    'is one that PostgreSQL raised, and a 500 to the client: %s',
    async (failure) => {
      const { key } = await api.tenant();
      const answer = await api.ask('GET', `/v1/failing/${failure}`, { key });
      expect(answer).toMatchObject({ status: 500, body: { code: 'server.failed' } });
      expect(api.app.get(Failing).last).toMatchObject({
        code: expect.stringMatching(/^(?:22|23|42)/) as string,
      });
    },
  );
});
