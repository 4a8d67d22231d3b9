import { globSync } from 'node:fs';
import path from 'node:path';
import { registeredStatements } from '@holdfast/database';
import { runDoctor } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';

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

  it('is read by the test above as PostgreSQL reads it', async () => {
    const wrong = database.admin(
      `set search_path to ''; prepare statement_under_test as select no_such_column from events.log`,
    );
    await expect(wrong).rejects.toMatchObject({ code: '42703' });
  });
});
