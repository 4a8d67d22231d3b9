import type { TestApi } from '../test-api';
import { Failing, FAILURES, shownOf } from './failing.module';

/** What clients are shown of the errors that PostgreSQL raises, over REST and GraphQL: `route: part`. None is right. */
export async function findDatabaseDetail(api: TestApi): Promise<string[]> {
  const { key } = await api.tenant();
  const failing = api.app.get(Failing);
  const found: string[] = [];
  for (const failure of Object.keys(FAILURES)) {
    const rest = await api.ask('GET', `/v1/failing/${failure}`, { key });
    found.push(
      ...shownOf(failing.last, rest.text + JSON.stringify(rest.headers)).map(
        (part) => `GET /v1/failing/${failure}: ${part}`,
      ),
    );
    failing.last = undefined;
    const graphql = await api.graphql(key, 'query ($failure: String!) { failing(failure: $failure) }', {
      failure,
    });
    found.push(...shownOf(failing.last, graphql.text).map((part) => `query failing(${failure}): ${part}`));
    failing.last = undefined;
  }
  return found;
}
