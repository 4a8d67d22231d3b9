import { createHmac, randomUUID } from 'node:crypto';
import { generateApiKey } from '@holdfast/identity';
import { metricsText } from '@holdfast/observability';
import { TestIssuer } from '@holdfast/testing';
import { type Answer, TestApi, trusting } from './test-api';

/** Rounds of the timing test: enough for a quartile, few enough for a second. */
const ROUNDS = 40;
/** How far apart the quicker quarters may be on a busy machine; a look at the database takes ten times what none takes. */
const FACTOR = 4;
/** Measurements in which a credential has to stand apart to be told apart: all of these. */
const MEASURED_MAX = 3;

/** Refused for its length, which its sender knows: the time tells nothing else. */
const AT_SIGHT = 'huge token';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Reliability.md, row 19: every wrong credential gets one answer, soon, and leaves nothing secret behind. */
describe('Credentials', () => {
  let issuer: TestIssuer;
  let api: TestApi;
  const secrets: string[] = [];

  beforeAll(async () => {
    issuer = await TestIssuer.start();
    api = await TestApi.start({}, [], [trusting(issuer.url)]);
  });
  afterAll(async () => {
    await api.close();
    await issuer.stop();
  });

  const ask = (credential: string): Promise<Answer> => {
    secrets.push(credential);
    return api.ask('GET', '/v1/me', { key: credential });
  };

  async function wrongKeys(): Promise<Readonly<Record<string, string>>> {
    const unknown = generateApiKey('live').text;
    const [revoked, expired, deleted] = [await api.tenant(), await api.tenant(), await api.tenant()];
    await api.database.admin(
      `update auth.credentials set revoked_at = clock_timestamp() where tenant_id = $1`,
      [revoked.id],
    );
    await api.database.admin(
      `update auth.credentials set expires_at = clock_timestamp() where tenant_id = $1`,
      [expired.id],
    );
    await api.database.admin(`delete from auth.credentials where tenant_id = $1`, [deleted.id]);
    const misspelt = `${unknown.slice(0, -1)}${unknown.endsWith('a') ? 'b' : 'a'}`;
    return {
      'unknown key': unknown,
      'key with a wrong checksum': misspelt,
      'revoked key': revoked.key,
      'expired key': expired.key,
      'key of a deleted tenant': deleted.key,
    };
  }

  async function wrongTokens(): Promise<Readonly<Record<string, string>>> {
    const now = Math.floor(Date.now() / 1_000);
    const good = await issuer.token();
    const [header = '', claims = '', signature = ''] = good.split('.');
    const shared = `${encode({ alg: 'HS256', typ: 'JWT', kid: issuer.publicJwk.kid })}.${claims}`;
    const hmac = createHmac('sha256', await issuer.publicPem())
      .update(shared)
      .digest('base64url');
    return {
      'token without a signature': `${encode({ alg: 'none', typ: 'JWT' })}.${claims}.`,
      'token signed with the public key': `${shared}.${hmac}`,
      'token of another issuer': await issuer.token({ iss: 'https://elsewhere.example' }),
      'token for another audience': await issuer.token({ aud: 'another' }),
      'expired token': await issuer.token({ exp: now - 60 }),
      'token that is not good yet': await issuer.token({ nbf: now + 600 }),
      'token without an end': await issuer.token({ exp: undefined }),
      'logout token': await issuer.token({}, { typ: 'logout+jwt' }),
      'token of an unknown key': await issuer.token({}, { kid: '../../etc/passwd' }),
      'changed token': `${header}.${encode({ sub: 'boss' })}.${signature}`,
      'truncated token': good.slice(0, -20),
      [AT_SIGHT]: await issuer.token({ padding: 'x'.repeat(9_000) }),
      nonsense: 'nonsense',
    };
  }

  /** Asks with each credential in turn, and answers how long each usually took. */
  async function timesOf(
    wrong: Readonly<Record<string, string>>,
    bodies: Set<string>,
  ): Promise<ReadonlyMap<string, number>> {
    const times = new Map(Object.keys(wrong).map((name): [string, number[]] => [name, []]));
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [name, credential] of Object.entries(wrong)) {
        const began = performance.now();
        const { status, headers, body } = await ask(credential);
        times.get(name)?.push(performance.now() - began);
        expect([name, status, headers['www-authenticate']]).toEqual([name, 401, 'Bearer']);
        bodies.add(JSON.stringify({ ...body, requestId: '' }));
      }
    }
    return new Map([...times].map(([name, all]) => [name, lowerQuartile(all)]));
  }

  it('that are wrong all get the same answer, in the same class of time', async () => {
    const wrong = { ...(await wrongKeys()), ...(await wrongTokens()) };
    const bodies = new Set<string>();
    let apart = Object.keys(wrong);
    // What tells credentials apart does so each time; what the machine does beside it does not.
    for (let measured = 0; measured < MEASURED_MAX && apart.length > 0; measured += 1) {
      const times = await timesOf(wrong, bodies);
      const usual = times.get('unknown key') ?? 0;
      process.stdout.write(`${ROUNDS * times.size} attempts, all 401\n`);
      for (const [name, ms] of times)
        process.stdout.write(`${ms.toFixed(2)} ms (${(ms / usual).toFixed(2)} x an unknown key) ${name}\n`);
      apart = apart.filter((name) => {
        const ms = times.get(name) ?? 0;
        return !(ms < usual * FACTOR && (ms > usual / FACTOR || name === AT_SIGHT));
      });
    }
    expect(apart).toEqual([]);
    expect([...bodies]).toHaveLength(1);
  });

  it('stand in no log line, answer, event, stored answer or metric', async () => {
    const { id, key } = await api.tenant();
    const support = await api.supportAccess(id, 'to look for canaries');
    const made = await api.ask('POST', '/v1/api-keys', { key, body: { name: 'x', scopes: ['tenant:read'] } });
    const invited = await api.ask('POST', '/v1/invitations', { key, body: { role: 'member' } });
    const [secret, invitation] = [String(made.body['secret']), String(invited.body['token'])];
    secrets.push(key, secret, invitation, String(support['secret']));
    const answers: Answer[] = [];
    const token = await issuer.token({ sub: randomUUID() });
    for (const credential of [secret, token, invitation]) {
      answers.push(await ask(credential));
      const accepted = { key: credential, body: { token: invitation } };
      answers.push(await api.ask('POST', '/v1/invitations/accept', accepted));
      // In a path it is shown to its sender, as the instance of the problem, and to nobody else.
      await api.ask('POST', `/v1/nowhere/${credential}`, { body: { token: credential } });
      answers.push(await api.graphql(credential, '{ me { actor } nothing }'));
    }
    answers.push(
      await api.ask('GET', '/v1/api-keys', { key }),
      await api.ask('GET', '/v1/invitations', { key }),
    );
    const logged = await api.database.admin<{ text: string }>('select l::text as text from events.log l');
    const stored = await api.database.admin<{ text: string }>(
      'select a::text as text from idempotency.answers a',
    );
    const places = {
      answers: answers.map(({ text, headers }) => text + JSON.stringify(headers)).join('\n'),
      events: logged.map(({ text }) => text).join('\n'),
      'idempotency store': stored.map(({ text }) => text).join('\n'),
      log: api.logged.join('\n'),
      metrics: (await metricsText()).text,
    };
    const canaries = secrets.filter((text) => text.length > 20).map((text) => text.slice(-20));
    for (const [place, text] of Object.entries(places)) {
      expect(text.length).toBeGreaterThan(100);
      expect([place, canaries.filter((canary) => text.includes(canary))]).toEqual([place, []]);
    }
    process.stdout.write(
      `${new Set(canaries).size} secrets looked for in ${Object.keys(places).join(', ')}\n`,
    );
  });
});

/** Unlike a median, it is not moved by whatever else the machine does half of the time. */
function lowerQuartile(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 4)] ?? Number.NaN;
}
