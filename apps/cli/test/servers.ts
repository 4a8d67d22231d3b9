import { join } from 'node:path';
import { developmentUrl, type LoginRole } from '@holdfast/config';
import { EmbeddedPostgres } from '@holdfast/embedded';
import { TestClickHouse } from '@holdfast/testing';
import { Client } from 'pg';
import { holdfast, type Started } from './dev-process';

/** PostgreSQL, migrated, and ClickHouse, for processes that run one by one as they do in production. */
export class Servers {
  private constructor(
    /** What the processes are configured with. */
    readonly environment: Readonly<Record<string, string>>,
    private readonly postgres: EmbeddedPostgres,
    private readonly clickhouse: TestClickHouse,
  ) {}

  /** Starts both in a checkout, with the schema of the program. */
  static async start(checkout: string, by: Started = {}): Promise<Servers> {
    const postgres = await EmbeddedPostgres.start({
      directory: join(checkout, '.holdfast/postgres'),
      password: 'servers',
    });
    const clickhouse = await TestClickHouse.open('front');
    const environment = {
      ...databases(postgres.url()),
      CLICKHOUSE_URL: 'url' in clickhouse.endpoint ? clickhouse.endpoint.url : '',
      LOG_LEVEL: 'warn',
    };
    const migrated = await holdfast(checkout, ['migrate'], environment, by);
    if (migrated.code !== 0) throw new Error(migrated.stderr);
    await exemptVersion(postgres.url());
    return new Servers(environment, postgres, clickhouse);
  }

  async stop(): Promise<void> {
    await this.clickhouse.close();
    await this.postgres.stop();
  }
}

/** In production the API does not serve from a PostgreSQL below the floors of rule 17, which the embedded one may be. */
async function exemptVersion(adminUrl: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl });
  await client.connect();
  await client.query(`insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
    values (17, 'server_version', 'the embedded server of the tests', 'tests', now() + interval '1 hour')`);
  await client.end();
}

function databases(adminUrl: string): Record<string, string> {
  const role = (name: LoginRole): string => developmentUrl(adminUrl, name);
  return {
    DATABASE_ADMIN_URL: adminUrl,
    DATABASE_URL: role('holdfast_app'),
    DATABASE_AUTH_URL: role('holdfast_auth'),
    DATABASE_OPS_URL: role('holdfast_ops'),
    DATABASE_RELAY_URL: role('holdfast_relay'),
    DATABASE_JOBS_URL: role('holdfast_jobs'),
  };
}

/** Makes a tenant by the command line and answers a key of it. */
export async function makeTenant(
  checkout: string,
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const created = await holdfast(checkout, ['tenant', 'create', 'testers', '--json'], environment);
  if (created.code !== 0) throw new Error(created.stderr);
  const key = await holdfast(checkout, ['key', 'create', 'testers', '--json'], environment);
  return (JSON.parse(key.stdout) as { secret: string }).secret;
}
