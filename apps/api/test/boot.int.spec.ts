import { Writable } from 'node:stream';
import { type ApiConfig, readConfig } from '@holdfast/config';
import { TelemetryStore } from '@holdfast/clickhouse';
import { createLogger } from '@holdfast/observability';
import { runDoctor } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { IsolationBroken, type RunningApi, startApi } from '../src/api';
import { WRITE_KEY_PRIVATE } from './test-api';

/** Promise 4 of tenancy: a hole is found before it is served. */
describe('An API that starts', () => {
  let database: TestDatabase;
  let logged: string;
  let isOld: boolean;

  beforeAll(async () => {
    database = await TestDatabase.create();
    const pools = { app: database.as('holdfast_app'), auth: database.as('holdfast_auth') };
    isOld = (await runDoctor(pools)).findings.some(({ object }) => object === 'server_version');
  });
  beforeEach(() => void (logged = ''));
  afterAll(() => database.drop());

  const configIn = (nodeEnv: string, more: Readonly<Record<string, string>>): ApiConfig =>
    readConfig('api', {
      NODE_ENV: nodeEnv,
      DATABASE_URL: database.url('holdfast_app'),
      DATABASE_AUTH_URL: database.url('holdfast_auth'),
      DATABASE_OPS_URL: database.url('holdfast_ops'),
      CLICKHOUSE_URL: 'http://127.0.0.1:1',
      HOLDFAST_PORT: '0',
      ...more,
    });

  async function start(nodeEnv: string, more: Readonly<Record<string, string>> = {}): Promise<RunningApi> {
    const destination = new Writable({
      write: (chunk, _encoding, done) => {
        logged += String(chunk);
        done();
      },
    });
    return startApi(configIn(nodeEnv, more), {
      logger: createLogger({ app: 'api', level: 'info', destination }),
      telemetry: new TelemetryStore({ url: 'http://127.0.0.1:1' }),
      version: 'test',
      graphiql: false,
      serveMetrics: false,
      drainMs: 0,
    });
  }

  it('serves in development, and logs what the doctor warns of', async () => {
    const api = await start('development');
    expect((await fetch(`${api.url}/livez`)).status).toBe(200);
    await api.stop();
    expect(/"rule":17.*server_version/.test(logged)).toBe(isOld);
  });

  it('says once that it records nothing of what members do, and what is missing for it', async () => {
    const to = { HOLDFAST_INGEST_URL: 'http://127.0.0.1:9' };
    const cases = [
      [{}, ['HOLDFAST_INGEST_URL']],
      [to, ['WRITE_KEY_PRIVATE']],
      [{ ...to, WRITE_KEY_PRIVATE }, []],
    ] as const;
    for (const [more, missing] of cases) {
      logged = '';
      const api = await start('development', more);
      const { checks } = (await (await fetch(`${api.url}/readyz?verbose`)).json()) as {
        readonly checks: readonly { readonly name: string }[];
      };
      await api.stop();
      const said = [...logged.matchAll(/what members do is not recorded as telemetry: (\w+) is not set/g)];
      expect(said.map(([, variable]) => variable)).toEqual(missing);
      expect(checks.some(({ name }) => name === 'activity')).toBe(missing.length === 0);
    }
  });

  it('does not serve from a server without repairs in production, unless it is exempted', async () => {
    if (isOld) await expect(start('production')).rejects.toThrow(/Rule 17: server_version/);
    await database.admin(
      `insert into tenancy.exemptions values (17, 'server_version', 'only for this test', 'tests')`,
    );
    await (await start('production')).stop();
  });

  it('does not serve a database with a hole, and names it', async () => {
    await database.admin('alter table ledger.accounts no force row level security');
    const refused = start('development');
    await expect(refused).rejects.toThrow(IsolationBroken);
    await expect(refused).rejects.toThrow(/Rule 3: ledger\.accounts/);
    await database.admin('alter table ledger.accounts force row level security');
  });
});
