import { randomUUID } from 'node:crypto';
import { type Caller, newId } from '@holdfast/kernel';
import { Database, migrate, setRolePasswords, setRoleSettings } from '@holdfast/database';
import { callerOf, Grants, TenantDatabase } from '@holdfast/tenancy';
import type { Vault } from '@holdfast/vault';
import { Client } from 'pg';
import { Administrator } from './administrator';
import { findUnbound } from './bound-role';
import { hasPgBouncer, PgBouncer } from './pg-bouncer';

/** Roles that a test may connect as. */
export type TestRole =
  'holdfast_app' | 'holdfast_auth' | 'holdfast_relay' | 'holdfast_sealer' | 'holdfast_ops' | 'holdfast_jobs';

const ROLES: readonly TestRole[] = [
  'holdfast_app',
  'holdfast_auth',
  'holdfast_relay',
  'holdfast_sealer',
  'holdfast_ops',
  'holdfast_jobs',
];
const PASSWORD = 'holdfast-test';
const TEMPLATE = 'holdfast_template';

/** Migrates the template anew, and refuses a run whose role no policy binds. Called once per run, before any spec file. */
export async function prepareTemplate(adminUrl: string): Promise<void> {
  await asAdmin(adminUrl, async (client) => {
    await client.query(`drop database if exists ${TEMPLATE} with (force)`);
    await client.query(`create database ${TEMPLATE}`);
  });
  await migrate(urlOf(adminUrl, TEMPLATE));
  await setRolePasswords(adminUrl, Object.fromEntries(ROLES.map((role) => [role, PASSWORD])));
  const app = new Database({
    url: urlOf(adminUrl, TEMPLATE, 'holdfast_app'),
    name: 'test',
    connectionsMax: 1,
  });
  const unbound = await findUnbound(app);
  await app.close();
  if (unbound.length > 0) throw new Error(`No test of isolation could fail:\n${unbound.join('\n')}`);
}

/** How connections reach the database. */
export interface TestRoute {
  readonly route: 'directly' | 'through PgBouncer';
}

/** The ways that this machine has, for a suite that takes each of them; says so when one is missing. */
export function testRoutes(): TestRoute[] {
  if (hasPgBouncer()) return [{ route: 'directly' }, { route: 'through PgBouncer' }];
  process.stdout.write('Skipped: through PgBouncer (there is no pgbouncer on this machine).\n');
  return [{ route: 'directly' }];
}

/** A migrated database of a spec file's own, with connections in every role. */
export class TestDatabase {
  private readonly opened: Database[] = [];
  private grants: Grants | undefined;
  private bouncer: PgBouncer | undefined;
  private readonly administrator: Administrator;

  private constructor(
    readonly adminUrl: string,
    private readonly serverUrl: string,
    readonly name: string,
  ) {
    this.administrator = new Administrator(adminUrl);
  }

  /** Copies the template. Give it back with `drop`. With HOLDFAST_TEST_PGBOUNCER set, every spec goes through PgBouncer. */
  static create(): Promise<TestDatabase> {
    const isPooled = Boolean(process.env['HOLDFAST_TEST_PGBOUNCER']);
    return TestDatabase.createFor({ route: isPooled ? 'through PgBouncer' : 'directly' });
  }

  /**
   * The same for a suite that takes every route there is. PgBouncer is the database's own, in transaction mode, where
   * `serverConnections` for each role are shared by all that `as` and `tenants` open.
   */
  static async createFor(
    { route }: TestRoute,
    serverConnections = 5,
    serverUrl = process.env['HOLDFAST_TEST_ADMIN_URL'],
  ): Promise<TestDatabase> {
    if (!serverUrl) throw new Error('no test server: is global-setup wired for this spec?');
    const database = await TestDatabase.createOn(serverUrl);
    if (route === 'through PgBouncer') await database.startBouncer(serverConnections);
    return database;
  }

  /** The same on a server of the suite's own, which it may stop; `prepareTemplate` has made the template there. */
  static async createOn(serverUrl: string): Promise<TestDatabase> {
    return TestDatabase.copyOf(TEMPLATE, serverUrl);
  }

  private static async copyOf(template: string, serverUrl: string): Promise<TestDatabase> {
    const name = `test_${randomUUID().replaceAll('-', '')}`;
    await asAdmin(serverUrl, async (client) => {
      // A copy needs the template to itself, and spec files run side by side.
      await client.query(`select pg_advisory_lock(hashtext('${template}'))`);
      // By its files: through the WAL, which is the default, a copy costs twice as much where nothing is synced.
      await client.query(`create database ${name} template ${template} strategy file_copy`);
      // What belongs to a database and not to its contents is not copied from a template.
      await client.query(`revoke all on database ${name} from public`);
      await client.query(`grant connect on database ${name} to ${ROLES.join(', ')}`);
    });
    return new TestDatabase(urlOf(serverUrl, name), serverUrl, name);
  }

  /** A copy as it is at this moment, as if from a backup. Ends what is connected; pools connect again. */
  async copy(): Promise<TestDatabase> {
    await this.administrator.close();
    await asAdmin(this.serverUrl, (client) =>
      client.query('select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1', [
        this.name,
      ]),
    );
    return TestDatabase.copyOf(this.name, this.serverUrl);
  }

  /** Connection string of a role. */
  url(role: TestRole): string {
    const url = new URL(urlOf(this.serverUrl, this.name, role));
    if (this.bouncer) {
      url.host = `127.0.0.1:${this.bouncer.port}`;
      url.searchParams.set('pgbouncer', 'true');
    }
    return url.href;
  }

  /** A pool in a role; closed by `drop`. */
  as(role: TestRole, connectionsMax = 5): Database {
    const database = new Database({ url: this.url(role), name: 'test', connectionsMax });
    this.opened.push(database);
    return database;
  }

  /** The pool for business SQL; personal values of events are kept where a vault is given. */
  tenants(connectionsMax = 5, vault?: Vault): TenantDatabase {
    return new TenantDatabase(this.as('holdfast_app', connectionsMax), vault);
  }

  /** Runs SQL as the superuser, whom row-level security does not bind. */
  async admin<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.administrator.run(async (client) => (await client.query(text, [...values])).rows as Row[]);
  }

  /**
   * A caller with every scope for a tenant (a fresh one when none is named), with a grant minted by the database. It is a part
   * of the system, or, with `act`, the operator of that name.
   */
  async caller(tenantId: string = newId(), act = ''): Promise<Caller> {
    return this.part('test', tenantId, act);
  }

  /** A part of Holdfast that acts in a tenant: `system:<name>`. */
  async part(name: string, tenantId: string, act = ''): Promise<Caller> {
    this.grants ??= new Grants(this.as('holdfast_auth', 2));
    return callerOf(await this.grants.forSystem(name, tenantId, '', act), { requestId: newId() });
  }

  /** Closes the pools and removes the database. */
  async drop(): Promise<void> {
    await Promise.all(this.opened.map((database) => database.close()));
    await this.bouncer?.stop();
    await this.administrator.close();
    await asAdmin(this.serverUrl, (client) =>
      client.query(`drop database if exists ${this.name} with (force)`),
    );
  }

  private async startBouncer(serverConnections: number): Promise<void> {
    await setRoleSettings(this.adminUrl, ROLES);
    const passwords = Object.fromEntries(ROLES.map((role) => [role, PASSWORD]));
    this.bouncer = await PgBouncer.start({ serverUrl: this.adminUrl, passwords, serverConnections });
  }
}

function urlOf(serverUrl: string, database: string, role?: TestRole): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  if (role !== undefined) [url.username, url.password] = [role, PASSWORD];
  return url.href;
}

async function asAdmin<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {}); // The statement under way, or the next one, tells of a server that goes away.
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
