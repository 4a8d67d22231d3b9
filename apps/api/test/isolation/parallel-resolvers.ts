import type { Answer, TestApi } from '../test-api';

/** Fields of one request, and requests at the same time: enough for every pair of them to overlap. */
const FIELDS = 6;
const REQUESTS = 12;

const PAUSES_MS = [3, 1, -2, 2, 4, 1];
const DOCUMENT = `{ ${PAUSES_MS.slice(0, FIELDS)
  .map((pause, index) => `f${index}: keyNames(pauseMs: ${pause})`)
  .join(' ')} }`;

/**
 * Sends requests of two tenants at once, in each of which several fields read side by side and one fails. Answers what is
 * wrong with the answers: a field that shows another tenant's names, or fails because its neighbour did.
 */
export async function findMixedAnswers(api: TestApi): Promise<{ found: string[]; answered: number }> {
  const keys: Record<string, string> = {};
  for (const name of ['one', 'other']) {
    const { key } = await api.tenant();
    await api.ask('POST', '/v1/api-keys', { key, body: { name: `of ${name}`, scopes: ['tenant:read'] } });
    keys[name] = key;
  }
  const rounds = Array.from({ length: REQUESTS }, (_, index) => (index % 2 === 0 ? 'one' : 'other'));
  const answers = await Promise.all(rounds.map((name) => api.graphql(keys[name], DOCUMENT)));
  const judged = answers.map((answer, index) => judge(answer, rounds[index] ?? ''));
  return {
    found: [...new Set(judged.flatMap(({ found }) => found))],
    answered: judged.reduce((sum, { answered }) => sum + answered, 0),
  };
}

function judge({ body }: Answer, name: string): { found: string[]; answered: number } {
  const fields = Object.entries((body['data'] ?? {}) as Record<string, string[] | null>);
  const found = fields.flatMap(([field, names]) => {
    const mayFail = PAUSES_MS[Number(field.slice(1))]! < 0;
    if (names === null) return mayFail ? [] : ['query keyNames: fails with its neighbour'];
    const foreign = names.filter((each) => each.startsWith('of ') && each !== `of ${name}`);
    if (foreign.length > 0) return [`query keyNames: shows names of another tenant`];
    return names.includes(`of ${name}`) ? [] : ['query keyNames: does not show its own names'];
  });
  return { found, answered: fields.filter(([, names]) => names !== null).length };
}
