import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Database, dumpPolicies, MIGRATIONS_DIRECTORY, statement } from '@holdfast/database';
import { type Finding, runDoctor } from '@holdfast/tenancy';
import { BREAKAGES, findUnbound, lineDifferences, TestDatabase } from '@holdfast/testing';
import { AmbientModule, Names } from './isolation/ambient.module';
import { findDatabaseDetail } from './isolation/database-detail';
import { Failing, FailingModule } from './isolation/failing.module';
import { type Kill, killTable, unprovedRules } from './isolation/mutation';
import { findOpenViews, findUnboundReads } from './isolation/other-stores';
import { findMixedAnswers } from './isolation/parallel-resolvers';
import { findLeaks } from './tenancy/matrix';
import { type Flaw, FLAWS, Notes } from './tenancy/notes';
import { NotesModule } from './tenancy/notes.module';
import { deliverEvents } from './tenancy/stored';
import { TestApi } from './test-api';

/**
 * Breaks every defence of tenant isolation on purpose, and requires its guard to go red and to name what is broken: a
 * check that cannot fail is none. Guards are those of `ISOLATION_RULES`; each is seen green first, here or in its suite.
 */
describe('A broken defence', () => {
  const kills: Kill[] = [];
  const killed = (rule: number, mutation: string, object: string): void =>
    void kills.push({ rule, mutation, object });

  afterAll(() => process.stdout.write(`${killTable(kills)}\n`));

  describe('of the database', () => {
    const examine = async (
      database: TestDatabase,
      app = database.as('holdfast_app'),
    ): Promise<readonly Finding[]> => (await runDoctor({ app, auth: database.as('holdfast_auth') })).findings;
    const asRole = (database: TestDatabase, role: string): Database => {
      const url = new URL(database.url('holdfast_app'));
      url.username = role;
      return new Database({ url: url.href, name: 'test' });
    };

    let database: TestDatabase;
    beforeEach(async () => void (database = await TestDatabase.create()));
    afterEach(() => database.drop());

    it.each(BREAKAGES)('is found by the doctor, rule $rule: $what', async ({ rule, what, sql, object }) => {
      await database.admin(sql);
      expect(await examine(database)).toContainEqual(expect.objectContaining({ rule, object }));
      killed(rule, what, object);
    });

    it.each([
      ['a role that is a superuser', 'superuser'],
      ['a role that bypasses policies', 'bypassrls'],
      ['a role that can become the relay', 'in role holdfast_app, holdfast_relay'],
    ])('is found by the doctor, rule 2: %s', async (what, attributes) => {
      const role = database.name; // Roles belong to the cluster, and other specs are using ours.
      await database.admin(`create role ${role} login password 'holdfast-test' ${attributes}`);
      await database.admin(`grant holdfast_app to ${role}`);
      const app = asRole(database, role);
      try {
        expect(await examine(database, app)).toContainEqual(
          expect.objectContaining({ rule: 2, object: role }),
        );
        killed(2, what, role.replace(/_.*/, '_…'));
      } finally {
        await app.close();
        await database.admin(`drop role ${role}`);
      }
    });

    it.each([
      [
        'a tool that switches a policy off',
        'alter table ledger.transfers disable row level security',
        'ledger.transfers is disabled',
      ],
      ['a tool that makes a table anew', 'create table ledger.copies (tenant_id uuid)', 'ledger.copies'],
    ])('is found in the snapshot of policies: %s', async (what, sql, named) => {
      const snapshot = readFileSync(path.join(MIGRATIONS_DIRECTORY, '../policies.txt'), 'utf8');
      expect(lineDifferences(snapshot, await dumpPolicies(database.adminUrl))).toEqual([]);
      await database.admin(sql);
      const differences = lineDifferences(snapshot, await dumpPolicies(database.adminUrl));
      expect(differences).toContainEqual(expect.stringContaining(`+ ${named}`));
      killed(21, what, named.split(' ')[0] ?? '');
    });

    it('is found by the doctor, rule 18: a statement that names no tenant', async () => {
      const careless = statement('test.names_no_tenant', 'select id from ledger.accounts limit 1');
      expect(await examine(database)).toContainEqual(
        expect.objectContaining({ rule: 18, severity: 'warning', object: careless.name }),
      );
      killed(18, 'a statement that names no tenant', careless.name);
    });

    it('is found before the first spec: tests that run as superuser', async () => {
      expect(await findUnbound(database.as('holdfast_app'))).toEqual([]);
      const superuser = new Database({ url: database.adminUrl, name: 'test' });
      const found = await findUnbound(superuser);
      await superuser.close();
      expect(found).toContainEqual(expect.stringContaining('not bound by the policies of ledger.transfers'));
      killed(22, 'tests that run as superuser', 'ledger.transfers');
    });
  });

  describe('of the code', () => {
    let api: TestApi;
    beforeAll(async () => void (api = await TestApi.start({}, [FailingModule, AmbientModule, NotesModule])));
    afterAll(() => api.close());

    it('is found in the answers: a handler that quotes the database', async () => {
      const failing = api.app.get(Failing);
      failing.isHelpful = true;
      const found = await findDatabaseDetail(api);
      failing.isHelpful = false;
      expect(found).toEqual(
        expect.arrayContaining([
          'GET /v1/failing/check: table',
          'query failing(duplicate): constraint',
          'GET /v1/failing/cast: row',
        ]),
      );
      killed(13, 'a handler that quotes the database', 'GET /v1/failing/check');
    });

    it('is found in parallel answers: a transaction that resolvers share', async () => {
      const names = api.app.get(Names);
      names.isAmbient = true;
      const { found } = await findMixedAnswers(api);
      names.isAmbient = false;
      expect(found).toContain('query keyNames: shows names of another tenant');
      killed(19, 'a transaction that resolvers share', 'query keyNames');
    });

    const matrix = async (flaw: Flaw): Promise<readonly string[]> => {
      const notes = api.app.get(Notes);
      notes.flaw = flaw;
      const [victim, attacker] = [await api.tenant(), await api.tenant()];
      const rowsOf = async (tenantId: string): Promise<Record<string, string>> => ({
        notes: JSON.stringify(notes.all.filter((each) => each.tenantId === tenantId)),
      });
      const { leaks } = await findLeaks({
        app: api.app,
        victim,
        attacker,
        rowsOf,
        only: (name) => /note/i.test(name),
      });
      return leaks;
    };

    // Some of the flaws; route-matrix-mutations.int.spec.ts has all of them.
    it.each<[number, Flaw]>([
      [24, 'shows what is another tenant’s'],
      [24, 'deletes what is another tenant’s, and denies it'],
      [25, 'takes the tenant from a header'],
      [25, 'takes the tenant from the body'],
    ])(
      'is found by the route matrix, rule %s: a route that %s',
      async (rule, flaw) => {
        const leaks = await matrix(flaw);
        expect(leaks).toContainEqual(expect.stringContaining(`${FLAWS[flaw]}: `));
        killed(rule, `a route that ${flaw}`, FLAWS[flaw]);
      },
      120_000,
    );

    it('is found among the statements: a query past the views of ClickHouse', () => {
      const text = 'select count() from telemetry.events where type = {type:String}';
      expect(findUnboundReads([['libs/modules/telemetry/src/a.query.ts', text]])).toEqual([
        'libs/modules/telemetry/src/a.query.ts: telemetry.events',
      ]);
      killed(23, 'a query past the views', 'telemetry.events');
    });

    it.each([
      ['a view without its parameter', '', 'answers without a tenant'],
      [
        'a view with a condition too wide',
        'where tenant_id = {tenant_id:UUID} or 1 = 1',
        'shows rows of other tenants',
      ],
    ])('is found in ClickHouse: %s', async (what, condition, finding) => {
      await deliverEvents(api, (await api.tenant()).id, 'test.thing');
      const open = `create or replace view telemetry.opened as select id from telemetry.events final ${condition}`;
      // ClickHouse makes the view, and has no rows to answer with, which the client takes for an error.
      await api.telemetry.read(api.database.name, { text: open }, {}).catch(() => undefined);
      expect(await findOpenViews(api.telemetry)).toEqual([`telemetry.opened ${finding}`]);
      killed(23, what, 'telemetry.opened');
    });
  });

  it('was tried for every row of the table, and every guard is there', () => {
    expect(unprovedRules(kills)).toEqual([]);
  });
});
