import { TestApi } from './test-api';

/** Guards that a drill is an outage to those who call, ends by itself, and is begun by operators only. */
describe('A drill', () => {
  let api: TestApi;
  beforeAll(async () => void (api = await TestApi.start()));
  afterAll(() => api.close());

  const begin = (body: object): ReturnType<TestApi['operator']> =>
    api.operator('POST', '/v1/operator/drills', { body });

  it('fails the calls of a dependency until it is over', async () => {
    const { key } = await api.tenant();
    const read = async (): Promise<number> => (await api.ask('GET', '/v1/telemetry/events', { key })).status;
    expect(await read()).toBe(200);
    const begun = await begin({ policy: 'clickhouse_reads', does: 'fail', seconds: 2 });
    expect(begun).toMatchObject({ status: 202, body: { data: [{ drill: 'fail', circuit: 'closed' }] } });
    for (let n = 0; n < 6; n += 1) expect(await read()).toBe(503);
    const { body } = await api.operator('GET', '/v1/operator/drills');
    const states = body['data'] as { name: string; circuit: string; calls: Record<string, number> }[];
    const reads = states.find(({ name }) => name === 'clickhouse_reads');
    expect(reads).toMatchObject({ circuit: 'open', calls: { failed: 5 } });
    // The drill is over after 2 s, and the circuit lets one through 2 s after it has opened.
    await new Promise((later) => setTimeout(later, 2_500));
    expect(await read()).toBe(200);
  });

  it('is begun by nobody else, and not for longer than five minutes', async () => {
    const { key } = await api.tenant();
    const body = { policy: 'clickhouse_reads', does: 'fail', seconds: 2 };
    expect((await api.ask('POST', '/v1/operator/drills', { key, body })).status).toBe(401);
    expect((await begin({ ...body, seconds: 301 })).status).toBe(422);
  });
});
