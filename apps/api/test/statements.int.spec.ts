import { globSync } from 'node:fs';
import path from 'node:path';
import { registeredStatements } from '@holdfast/database';
import { runDoctor } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { findPlansWithoutTenant } from './isolation/plans';

const root = path.resolve(__dirname, '../../..');

/** Every file that may declare a statement; requiring one declares its statements. */
const FILES = globSync(['libs/modules/**/*.{sql,query,command}.ts', 'libs/platform/**/src/**/*.ts'], {
  cwd: root,
})
  .filter((file) => !/\.(?:spec|bench)\.ts$|^libs\/platform\/(?:testing|embedded)\//.test(file))
  .toSorted();

describe('Every statement', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await TestDatabase.create();
    for (const file of FILES) require(path.join(root, file));
  }, 60_000);
  afterAll(() => database.drop());

  it('can be prepared against the migrated database, with every name qualified', async () => {
    const faults: string[] = [];
    for (const { name, text } of registeredStatements()) {
      try {
        // Nothing is on the path, so a table without its schema is not found.
        await database.admin(`set search_path to ''; prepare statement_under_test as ${text}`);
      } catch (error) {
        faults.push(`${name}: ${String(error)}`);
      }
    }
    expect(faults).toEqual([]);
    expect(registeredStatements().length).toBeGreaterThan(20);
  }, 60_000);

  it('says which tenant it is about, or is exempted', async () => {
    const pools = { app: database.as('holdfast_app'), auth: database.as('holdfast_auth') };
    const { findings } = await runDoctor(pools);
    expect(findings.filter(({ rule }) => rule === 18)).toEqual([]);
  });

  it('finds the rows of its tenant by an index, ahead of every condition of its own', async () => {
    const exempt = await database.admin<{ object: string }>(
      'select object from tenancy.exemptions where rule = 18',
    );
    const exempted = new Set(exempt.map(({ object }) => object));
    const statements = registeredStatements().filter(({ name }) => !exempted.has(name));
    expect(await findPlansWithoutTenant(database, statements)).toEqual([]);
  });

  // What is counted of some tenants says of one that comes later that it has one row: every index of its table is then as good.
  it('is planned alike for all tenants: their rows are not counted', async () => {
    const counted = await database.admin(
      `select t.relation::text from tenancy.tenant_tables() t
       join pg_attribute a on a.attrelid = t.relation and a.attname = 'tenant_id'
       where a.attstattarget is distinct from 0`,
    );
    expect(counted).toEqual([]);
  });

  it('would be found if no index began with the tenant', async () => {
    await database.admin(
      'alter table ledger.accounts drop constraint accounts_pkey cascade, drop constraint accounts_tenant_id_code_key cascade',
    );
    const finding = registeredStatements().filter(({ name }) => name === 'ledger.find_account');
    expect(await findPlansWithoutTenant(database, finding)).toEqual([
      'ledger.find_account: Seq Scan on ledger.accounts',
    ]);
  });

  it('is read by the test above as PostgreSQL reads it', async () => {
    const wrong = database.admin(
      `set search_path to ''; prepare statement_under_test as select no_such_column from events.log`,
    );
    await expect(wrong).rejects.toMatchObject({ code: '42703' });
  });
});
