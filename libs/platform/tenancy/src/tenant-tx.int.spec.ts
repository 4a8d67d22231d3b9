import { newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { fixtureMade, TestDatabase } from '@holdfast/testing';
import type { TenantDatabase } from './tenant-database';

const INSERT = statement(
  'test.insert_tenant',
  'insert into tenants.tenants (tenant_id, slug, name) values ($1, $2, $3)',
);
const LIST = statement<{ slug: string }>(
  'test.list_tenants',
  'select slug from tenants.tenants order by slug limit 10',
);

describe('TenantTx', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants();
  });
  afterAll(() => database.drop());

  it('shows each tenant its own rows only', async () => {
    const [first, second] = [await database.caller(newId()), await database.caller(newId())];
    for (const [caller, slug] of [
      [first, 'first'],
      [second, 'second'],
    ] as const) {
      await tenants.transaction(caller, async (tx) => {
        await tx.execute(INSERT, [tx.tenantId, slug, slug]);
        await tx.announce(fixtureMade());
      });
    }
    expect(await tenants.rows(first, LIST, [])).toEqual([{ slug: 'first' }]);
    expect(await tenants.reading(second, (tx) => tx.rows(LIST))).toEqual([{ slug: 'second' }]);
  });

  it('refuses a row of another tenant', async () => {
    const caller = await database.caller();
    const insertion = tenants.transaction(caller, (tx) => tx.execute(INSERT, [newId(), 'other', 'other']));
    await expect(insertion).rejects.toMatchObject({ code: '42501' });
  });
});
