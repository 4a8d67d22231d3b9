import { callerOf, Grants, type TenantTx } from '@holdfast/tenancy';
import { newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { TestDatabase } from '@holdfast/testing';
import { Client } from 'pg';
import { announce } from '../../test/announced';
import { findFaults } from '../../test/sealed-log';
import { makeTestTick, TestSealer } from '../../test/test-sealer';

const ERASE_PAGE = statement<{ relation: string }>(
  'test.erase_page',
  'select relation from tenancy.erase_page($1)',
);
const ROWS_PER_PAGE = 40;

// Guards: an erasure is no tampering, and ends: nobody is called for it, and nothing of the tenant is written behind it.
describe('A tenant that is erased while it is sealed', () => {
  let database: TestDatabase;
  let sealer: TestSealer;
  let other: string;

  beforeEach(async () => {
    database = await TestDatabase.create();
    sealer = await TestSealer.create(database);
    other = await announce(database, 3);
    await sealer.seal();
  });
  afterEach(async () => {
    await sealer.close();
    await database.drop();
  });

  const left = async (tenantId: string): Promise<number> => {
    const [counted] = await database.admin<{ count: number }>(
      `select (select count(*) from events.log where tenant_id = $1) + (select count(*) from audit.trees where tenant_id = $1)
         + (select count(*) from audit.checkpoints where tenant_id = $1) as count`,
      [tenantId],
    );
    return Number(counted?.count);
  };

  it.each([{ isSealed: true }, { isSealed: false }])(
    'is left alone (sealed before: $isSealed)',
    async ({ isSealed }) => {
      const tenantId = await announce(database, 300);
      if (isSealed) await sealer.seal();
      else await makeTestTick(database);
      await database.admin("insert into auth.tenants (id, state) values ($1, 'erasing')", [tenantId]);
      const grants = new Grants(database.as('holdfast_auth', 1));
      const tenants = database.tenants(1);
      const erase = async (): Promise<string | undefined> => {
        const caller = callerOf(await grants.forSystem('eraser', tenantId), { requestId: newId() });
        const page = (tx: TenantTx): Promise<{ relation: string } | undefined> =>
          tx.row(ERASE_PAGE, [ROWS_PER_PAGE]);
        return (await tenants.transaction(caller, page))?.relation;
      };
      const { directory, privateKeys } = sealer;
      let pages = 0;
      for (; (await erase()) !== undefined; pages += 1) {
        // Some of them begin anew, as behind a failover, and look through all trees.
        if (pages % 4 === 3) {
          await sealer.stop();
          sealer = await TestSealer.create(database, { directory, privateKeys });
        }
        await announce(database, 1, other);
        await sealer.seal();
      }
      expect(pages).toBeGreaterThan(8);
      expect(await left(tenantId)).toBe(0);
      expect(await findFaults(database, sealer, other)).toEqual([]);
    },
  );

  it('is not refused where its tiles go between the commit of its leaves and the checkpoint', async () => {
    const tenantId = await announce(database, 3);
    await makeTestTick(database);
    const client = new Client({ connectionString: database.adminUrl });
    await client.connect();
    try {
      await client.query('begin');
      await client.query('lock table audit.checkpoints in access exclusive mode');
      const round = sealer.sealer.round();
      const waits = "select from pg_locks where relation = 'audit.checkpoints'::regclass and not granted";
      while ((await database.admin(waits)).length === 0);
      for (const table of ['events.heads', 'audit.tiles', 'audit.trees', 'events.log'])
        await client.query(`delete from ${table} where tenant_id = '${tenantId}'`);
      await client.query('commit');
      await round;
    } finally {
      await client.end();
    }
    expect(sealer.errors).toEqual([]);
    expect(await left(tenantId)).toBe(0);
  });
});
