import { AmbientModule } from './isolation/ambient.module';
import { findMixedAnswers } from './isolation/parallel-resolvers';
import { TestApi } from './test-api';

// Guards isolation rule 19: one transaction per unit of work, whatever runs beside it.
describe('Fields of one request that read side by side', () => {
  let api: TestApi;
  beforeAll(async () => void (api = await TestApi.start({}, [AmbientModule])));
  afterAll(() => api.close());

  it('show their own tenant each, and do not fail with one another', async () => {
    const { found, answered } = await findMixedAnswers(api);
    expect(found).toEqual([]);
    expect(answered).toBe(60); // 12 requests of 6 fields, of which one fails by itself.
  });
});
