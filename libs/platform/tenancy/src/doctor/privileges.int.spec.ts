import { Database, migrate } from '@holdfast/database';
import { TestDatabase } from '@holdfast/testing';
import type { Finding } from './catalogue-check';
import { formatFindings } from './diagnosis';
import { runDoctor } from './doctor';
import type { DoctorPools } from './refusals';

/** What an administrator could give away or take beside privileges.ts: what it comes to, the object, the statement. */
const BREAKAGES: readonly (readonly [what: string, object: string, sql: string])[] = [
  [
    'an application that mints grants for consumers',
    'auth.grant_for_system',
    'grant execute on function auth.grant_for_system(text, uuid, text, text) to holdfast_app',
  ],
  [
    'an application that mints grants of any tenant',
    'tenancy.mint',
    'grant execute on function tenancy.mint(uuid, text, text[], timestamptz, text, text) to holdfast_app',
  ],
  [
    'an application that reads credentials',
    'auth.credentials',
    'grant select on auth.credentials to holdfast_app',
  ],
  [
    'an application that moves the heads of other tenants',
    'events.heads',
    'grant select, update on events.heads to holdfast_app',
  ],
  [
    'an application that writes to the log past the append function',
    'events.log',
    'grant insert on events.log to holdfast_app',
  ],
  ['an application that changes the log', 'events.log', 'grant update, delete on events.log to holdfast_app'],
  [
    'an application that changes one column of the log',
    'events.log',
    'grant update (data) on events.log to holdfast_app',
  ],
  ['an application that looks into the queues', 'jobs', 'grant usage on schema jobs to holdfast_app'],
  ['a schema that is open to everybody', 'ledger', 'grant usage on schema ledger to public'],
  [
    'a function that everybody may execute',
    'tenancy.verified_grant',
    'grant execute on function tenancy.verified_grant(text) to public',
  ],
  [
    'an auth role that reads a table',
    'auth.credentials',
    'grant select on auth.credentials to holdfast_auth',
  ],
  ['a relay that takes from the log', 'events.log', 'grant delete on events.log to holdfast_relay'],
  [
    'a sealer that reads accounts',
    'ledger.accounts',
    'grant usage on schema ledger to holdfast_sealer; grant select on ledger.accounts to holdfast_sealer',
  ],
  ['an operator that changes accounts', 'ledger.accounts', 'grant update on ledger.accounts to holdfast_ops'],
  [
    'a role of the queues that reads tenants',
    'tenants.tenants',
    'grant select on tenants.tenants to holdfast_jobs',
  ],
  ['a schema that a process owns', 'ledger', 'alter schema ledger owner to holdfast_app'],
  [
    'a function that a process owns',
    'tenancy.mint',
    'alter function tenancy.mint(uuid, text, text[], timestamptz, text, text) owner to holdfast_relay',
  ],
  [
    'a sequence that the application draws from',
    'events.log_seq',
    'grant usage on sequence events.log_seq to holdfast_app',
  ],
  [
    'a catalogue of PostgreSQL that holds values of all tenants',
    'pg_catalog.pg_statistic',
    'grant select on pg_catalog.pg_statistic to holdfast_app',
  ],
  [
    'a function of PostgreSQL that reads files',
    'pg_catalog.pg_read_file',
    'grant execute on function pg_catalog.pg_read_file(text) to public',
  ],
  [
    'a privilege that may be handed on',
    'ledger.transfers',
    'grant select on ledger.transfers to holdfast_app with grant option',
  ],
  [
    'a table privilege that the application lacks',
    'ledger.transfers',
    'revoke insert on ledger.transfers from holdfast_app',
  ],
  [
    'columns that the application may not update any more',
    'ledger.accounts',
    'revoke update (metadata, closed_at) on ledger.accounts from holdfast_app',
  ],
  [
    'a function that the relay lacks',
    'events.tick',
    'revoke execute on function events.tick(text, bigint, int) from holdfast_relay',
  ],
  ['a schema that the auth role lacks', 'auth', 'revoke usage on schema auth from holdfast_auth'],
  [
    'a role that would work without row-level security',
    'holdfast_app row_security',
    `do $do$ begin execute format('alter role holdfast_app in database %I set row_security = off', current_database()); end $do$`,
  ],
  [
    'a setting for everybody',
    'every role synchronous_commit',
    `do $do$ begin execute format('alter database %I set synchronous_commit = off', current_database()); end $do$`,
  ],
  [
    'tables that will be open to the application',
    'holdfast_owner tables',
    'alter default privileges for role holdfast_owner in schema ledger grant select on tables to holdfast_app',
  ],
  [
    'functions that will be open to everybody',
    'holdfast_owner functions',
    'alter default privileges for role holdfast_owner grant execute on functions to public',
  ],
  [
    'functions that will be open to everybody, behind an entry for one schema',
    'holdfast_log functions',
    'alter default privileges for role holdfast_log in schema ledger grant execute on functions to holdfast_log, holdfast_app; alter default privileges for role holdfast_log grant execute on functions to public',
  ],
  [
    'a relay that ends connections',
    'pg_catalog.pg_terminate_backend',
    'grant execute on function pg_terminate_backend(int, bigint) to holdfast_relay',
  ],
];

/** Everything that the first migration takes from PUBLIC. */
const CLOSED_FUNCTIONS = [
  'pg_advisory_lock(bigint)',
  'pg_advisory_lock(integer,integer)',
  'pg_advisory_lock_shared(bigint)',
  'pg_advisory_lock_shared(integer,integer)',
  'pg_try_advisory_lock(bigint)',
  'pg_try_advisory_lock(integer,integer)',
  'pg_try_advisory_lock_shared(bigint)',
  'pg_try_advisory_lock_shared(integer,integer)',
  'lo_creat(integer)',
  'lo_create(oid)',
  'lo_from_bytea(oid,bytea)',
  'lo_open(oid,integer)',
  'lo_put(oid,bigint,bytea)',
  'lo_unlink(oid)',
  'pg_cancel_backend(integer)',
  'pg_terminate_backend(integer,bigint)',
  'pg_logical_emit_message(boolean,text,text,boolean)',
  'pg_logical_emit_message(boolean,text,bytea,boolean)',
];

/** What the doctor finds but for the server's version, which is that of whatever runs these tests. */
async function examine(pools: DoctorPools): Promise<Finding[]> {
  const { findings } = await runDoctor(pools);
  return findings.filter(({ object }) => object !== 'server_version');
}

const NOTHING = 'No hole in tenant isolation found.';

describe('privileges', () => {
  let database: TestDatabase;
  let pools: DoctorPools;

  const poolsOf = (): DoctorPools => ({
    app: database.as('holdfast_app'),
    auth: database.as('holdfast_auth'),
  });

  beforeAll(async () => {
    database = await TestDatabase.create();
    pools = poolsOf();
  });
  afterAll(() => database.drop());

  async function mend(): Promise<void> {
    for (const { fix } of await examine(pools)) await database.admin(fix);
  }

  it.each(BREAKAGES)('finds %s (%s), and its fix mends it', async (_, object, sql) => {
    expect(formatFindings(await examine(pools))).toBe(NOTHING);
    await database.admin(sql);
    expect(await examine(pools)).toContainEqual(expect.objectContaining({ rule: 20, object }));
    await mend();
    // What an owner lost with its ownership is given back in a second round.
    await mend();
    expect(formatFindings(await examine(pools))).toBe(NOTHING);
  });

  it.each(CLOSED_FUNCTIONS)('finds %s open to everybody, and its fix closes it', async (object) => {
    await database.admin(`grant execute on function ${object} to public`);
    expect(await examine(pools)).toContainEqual(expect.objectContaining({ rule: 17, object }));
    await mend();
    expect(formatFindings(await examine(pools))).toBe(NOTHING);
  });

  it('says which entry of the list a wanted grant needs, and which one a grant that is gone leaves behind', async () => {
    await database.admin(`grant select (code), update (code) on ledger.accounts to holdfast_relay;
      revoke insert on ledger.transfers from holdfast_app`);
    const text = formatFindings(await examine(pools));
    expect(text).toContain(
      "privileges.ts needs 'update (code)' at 'ledger.accounts' in tables of holdfast_relay",
    );
    expect(text).toContain('fix: revoke update (code) on table ledger.accounts from holdfast_relay;');
    expect(text).toContain("privileges.ts loses 'insert' at 'ledger.transfers' in tables of holdfast_app");
    expect(text).toContain('fix: grant insert on table ledger.transfers to holdfast_app;');
    await mend();
  });

  it('leaves the queues alone what they make in their own schema', async () => {
    await database.admin(`create table jobs.waiting (id int); alter table jobs.waiting owner to holdfast_jobs;
      create function jobs.claim() returns int language sql return 1; alter function jobs.claim() owner to holdfast_jobs`);
    expect(formatFindings(await examine(pools))).toBe(NOTHING);
  });

  it('leaves out an object that is exempted, so that the release before a grant goes on', async () => {
    await database.admin(`create table ledger.notes (tenant_id uuid, id uuid, primary key (tenant_id, id));
      select tenancy.protect('ledger.notes'); select tenancy.record('ledger.notes'); grant select on ledger.notes to holdfast_app;
      insert into tenancy.exemptions values (20, 'ledger.notes', 'the release before does not list it', 'tests')`);
    expect(formatFindings(await examine(pools))).toBe(NOTHING);
    await database.admin(`delete from tenancy.exemptions where owner = 'tests'`);
    expect(await examine(pools)).toContainEqual(
      expect.objectContaining({ rule: 20, object: 'ledger.notes' }),
    );
    await database.admin('drop table ledger.notes');
  });

  it('finds what is set for a role, and what it may set, in every database of the cluster', async () => {
    const { name } = database;
    // A role of this test's own: settings of holdfast_app in all databases would reach the specs that run beside this one.
    await database.admin(`create role ${name} login password 'holdfast-test' in role holdfast_app;
      alter role ${name} set row_security = off; grant set on parameter session_replication_role to ${name}`);
    const url = new URL(database.url('holdfast_app'));
    url.username = name;
    const app = new Database({ url: url.href, name: 'test' });
    try {
      const findings = await examine({ ...pools, app });
      const settingFix = `alter role ${name} reset row_security;`;
      const parameterFix = `revoke set on parameter session_replication_role from ${name};`;
      expect(findings).toContainEqual(
        expect.objectContaining({ rule: 20, object: `${name} row_security`, fix: settingFix }),
      );
      expect(findings).toContainEqual(
        expect.objectContaining({ rule: 20, object: 'session_replication_role', fix: parameterFix }),
      );
      await database.admin(settingFix);
      await database.admin(parameterFix);
      expect(await examine({ ...pools, app })).not.toContainEqual(expect.objectContaining({ rule: 20 }));
    } finally {
      await app.close();
      await database.admin(`drop owned by ${name}; drop role ${name}`);
    }
  });

  it('finds nothing where an administrator who is no superuser has migrated', async () => {
    const name = `managed_${database.name}`;
    const url = new URL(database.adminUrl);
    [url.username, url.password, url.pathname] = [name, 'holdfast-test', `/${name}`];
    // As a provider hands out a cluster in which the roles exist already.
    await database.admin(`create role ${name} login createdb createrole password 'holdfast-test';
      grant holdfast_owner, holdfast_log, holdfast_app, holdfast_auth, holdfast_relay, holdfast_sealer, holdfast_ops,
        holdfast_jobs to ${name} with admin option`);
    await database.admin(`create database ${name} owner ${name}`);
    const urlOf = (role: string): string => {
      const connection = new URL(url);
      connection.username = role;
      return connection.href;
    };
    const managed = {
      app: new Database({ url: urlOf('holdfast_app'), name: 'test' }),
      auth: new Database({ url: urlOf('holdfast_auth'), name: 'test' }),
    };
    try {
      await migrate(url.href);
      expect(formatFindings(await examine(managed))).toBe(NOTHING);
    } finally {
      await managed.app.close();
      await managed.auth.close();
      await database.admin(`drop database ${name} with (force)`);
      await database.admin(`drop role ${name}`);
    }
  });
});
