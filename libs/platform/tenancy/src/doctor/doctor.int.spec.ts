import { Database } from '@holdfast/database';
import { BREAKAGES, TestDatabase, testRoutes } from '@holdfast/testing';
import { Client } from 'pg';
import type { Finding } from './catalogue-check';
import { type Diagnosis, formatDiagnosis, formatFindings, holesIn } from './diagnosis';
import { runDoctor } from './doctor';
import type { DoctorPools } from './refusals';
import { versionOffences } from './server-version';

const poolsOf = (database: TestDatabase): DoctorPools => ({
  app: database.as('holdfast_app'),
  auth: database.as('holdfast_auth'),
});

/** What the doctor finds but for the server's version, which is that of whatever runs these tests. */
async function examine(pools: DoctorPools): Promise<Finding[]> {
  const { findings } = await runDoctor(pools);
  return findings.filter(({ object }) => object !== 'server_version');
}

const FUNCTIONS = `select pg_get_functiondef(oid) as definition from pg_proc where pronamespace = 'tenancy'::regnamespace`;

/** What a breakage brought with it that its fix has no reason to take away. */
const LEFT_BEHIND = `drop table if exists tenants.comments, tenants.notes, tenants.countries, tenants.days;
  drop view if exists tenants.everybody; drop materialized view if exists tenants.frozen; drop function if exists tenants.all_slugs();
  delete from tenancy.exemptions where owner = 'tests'`;

describe('runDoctor', () => {
  let database: TestDatabase;
  let pools: DoctorPools;

  beforeAll(async () => {
    database = await TestDatabase.create();
    pools = poolsOf(database);
  });
  afterAll(() => database.drop());

  it('asks as much of a database with many tables as of one with few', async () => {
    const asked = async (): Promise<number> => {
      const spy = jest.spyOn(Client.prototype, 'query');
      try {
        await examine(pools);
        return spy.mock.calls.length;
      } finally {
        spy.mockRestore();
      }
    };
    const few = await asked();
    const tables = Array.from({ length: 50 }, (_, n) => `many_${n}`);
    await database.admin(
      tables.map((name) => `create table tenants.${name} (tenant_id uuid primary key)`).join(';'),
    );
    const many = await asked();
    await database.admin(tables.map((name) => `drop table tenants.${name}`).join(';'));
    expect(many).toBe(few);
  });

  it.each(BREAKAGES)('finds $what, and its fix mends it', async ({ sql, rule, object, undo }) => {
    const functions = await database.admin<{ definition: string }>(FUNCTIONS);
    await database.admin(sql);
    // Connections of their own: what the first transaction on a connection meets is part of the checks.
    const found = await examine(poolsOf(database));
    expect(found).toContainEqual(expect.objectContaining({ rule, object }));
    if (undo === 'restore') for (const { definition } of functions) await database.admin(definition);
    else if (undo) await database.admin(undo);
    else for (const { fix } of found) await database.admin(fix);
    // Whoever owned a table had every privilege by that, and none once it does not: then those have to be given back.
    if (!undo) for (const { fix } of await examine(pools)) await database.admin(fix);
    expect(formatFindings(await examine(pools))).toBe('No hole in tenant isolation found.');
    await database.admin(LEFT_BEHIND);
  });

  it('finds that a role can become another one', async () => {
    const { name } = database;
    // A role of this test's own, because roles belong to the cluster and other specs are using theirs.
    await database.admin(
      `create role ${name} login password 'holdfast-test' in role holdfast_app, holdfast_relay`,
    );
    const url = new URL(database.url('holdfast_app'));
    url.username = name;
    const app = new Database({ url: url.href, name: 'test' });
    try {
      const findings = await examine({ ...pools, app });
      const fix = `revoke holdfast_relay from ${name};`;
      expect(findings).toContainEqual({
        rule: 2,
        severity: 'hole',
        object: name,
        reason: 'it can become holdfast_relay',
        fix,
      });
    } finally {
      await app.close();
      await database.admin(`drop role ${name}`);
    }
  });

  it('finds that it was given a role which the policies do not bind', async () => {
    const { name } = database;
    await database.admin(`create role ${name} login superuser password 'holdfast-test'`);
    try {
      const url = new URL(database.url('holdfast_app'));
      url.username = name;
      const app = new Database({ url: url.href, name: 'test' });
      const findings = await examine({ ...pools, app });
      await app.close();
      expect(findings).toContainEqual({
        rule: 2,
        severity: 'hole',
        object: name,
        reason: 'it has superuser',
        fix: `alter role ${name} nosuperuser;`,
      });
      expect(findings).toContainEqual(expect.objectContaining({ rule: 1, object: 'tenants.tenants' }));
    } finally {
      await database.admin(`drop role ${name}`);
    }
  });

  it('leaves out what is exempted, and only under the rule that it is exempted from', async () => {
    await database.admin(`create unique index free on identity.api_keys (name);
      alter table identity.api_keys no force row level security;
      insert into tenancy.exemptions values (12, 'identity.free', 'only for this test', 'tests'), (12, 'identity.api_keys', 'of another rule', 'tests')`);
    const findings = await examine(pools);
    expect(findings).toContainEqual(expect.objectContaining({ rule: 3, object: 'identity.api_keys' }));
    expect(findings).not.toContainEqual(expect.objectContaining({ rule: 12 }));
    await database.admin(`drop index identity.free; alter table identity.api_keys force row level security;
      delete from tenancy.exemptions where owner = 'tests'`);
  });

  it('finds an object again when its exemption has ended, and says whose it was', async () => {
    const exempt = `insert into tenancy.exemptions (rule, object, reason, owner, expires_at)
      values (3, 'identity.api_keys', 'only for this test', 'tests', clock_timestamp() + $1::interval)`;
    await database.admin('alter table identity.api_keys no force row level security');
    await database.admin(exempt, ['15 days']);
    expect(await examine(pools)).toEqual([]);
    await database.admin(`delete from tenancy.exemptions where owner = 'tests'`);
    await database.admin(exempt, ['13 days']);
    expect(await examine(pools)).toEqual([
      expect.objectContaining({
        severity: 'warning',
        object: 'identity.api_keys',
        reason: expect.stringContaining('the exemption of tests (only for this test) ends at 2') as string,
      }),
    ]);
    await database.admin(`delete from tenancy.exemptions where owner = 'tests'`);
    await database.admin(exempt, ['-1 second']);
    const diagnosis = await runDoctor(pools);
    const reason = expect.stringContaining(
      'the exemption of tests (only for this test) expired at 2',
    ) as string;
    expect(holesIn(diagnosis)).toEqual([
      expect.objectContaining({ rule: 3, object: 'identity.api_keys', reason }),
    ]);
    expect(diagnosis.exemptions).toContainEqual(
      expect.objectContaining({ owner: 'tests', hasExpired: true }),
    );
    await database.admin(`delete from tenancy.exemptions where owner = 'tests';
      alter table identity.api_keys force row level security`);
  });

  it('takes a server that lacks repairs for a hole in production, unless it is exempted', async () => {
    const [server] = await database.admin<{ number: number }>(
      `select current_setting('server_version_num')::int as number`,
    );
    const isOld = versionOffences(server!).length > 0;
    const holes = async (isProduction: boolean): Promise<string[]> =>
      holesIn(await runDoctor(pools, { isProduction })).map(({ rule, object }) => `${rule} ${object}`);
    expect(await holes(false)).toEqual([]);
    expect(await holes(true)).toEqual(isOld ? ['17 server_version'] : []);
    await database.admin(
      `insert into tenancy.exemptions values (17, 'server_version', 'only for this test', 'tests')`,
    );
    expect(await holes(true)).toEqual([]);
  });
});

it.each(testRoutes())('runDoctor finds nothing in a database as it was migrated, $route', async (route) => {
  const database = await TestDatabase.createFor(route);
  expect(await examine(poolsOf(database))).toEqual([]);
  await database.drop();
});

describe('formatDiagnosis', () => {
  const finding: Finding = {
    rule: 3,
    severity: 'hole',
    object: 'ledger.accounts',
    reason: 'its owner is not bound',
    fix: 'alter table …;',
  };
  const warning: Finding = {
    rule: 17,
    severity: 'warning',
    object: 'server_version',
    reason: 'it is old',
    fix: 'install a newer one',
  };

  it('says the rule, the object, the reason and the fix, and what was left out', () => {
    const exemption = {
      rule: 12,
      object: 'a.b_key',
      reason: 'it tells nothing',
      owner: 'a',
      expiresAt: '2027-01-01T00:00:00Z',
      hasExpired: false,
      endsSoon: false,
    };
    const diagnosis: Diagnosis = { findings: [finding, warning], exemptions: [exemption] };
    expect(formatDiagnosis(diagnosis)).toBe(`Exempted:
  rule 12: a.b_key
    it tells nothing (a, until 2027-01-01T00:00:00Z)

Rule 3: ledger.accounts
  its owner is not bound
  fix: alter table …;

Rule 17, warning: server_version
  it is old
  fix: install a newer one

1 found. The rules are in libs/platform/tenancy/README.md.`);
  });

  it('does not take a warning for a hole', () => {
    expect(holesIn({ findings: [finding, warning], exemptions: [] })).toEqual([finding]);
    expect(formatFindings([warning])).toMatch(/No hole in tenant isolation found\.$/);
  });
});
