import { type Caller, newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { fixtureMade, TestDatabase } from '@holdfast/testing';
import { FeatureNotInPlan, QuotaExceeded, requireFeature, requireQuota } from './plan-limits';
import type { TenantDatabase } from './tenant-database';

const COUNT = statement<{ count: bigint }>(
  'test.count_keys',
  'select count(*) as count from identity.api_keys where tenant_id = $1',
);
const INSERT = statement(
  'test.insert_key',
  `insert into identity.api_keys (tenant_id, id, name, prefix, scopes, created_by)
   values ($1, $2, 'test', 'hf_test', '{}', 'test')`,
);

describe('A plan', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants(10);
  });
  beforeEach(async () => {
    caller = { ...(await database.caller()), plan: 'free' };
  });
  afterAll(() => database.drop());

  const add = (): Promise<unknown> =>
    tenants.transaction(caller, async (tx) => {
      await requireQuota(tx, 'apiKeys', COUNT);
      await tx.execute(INSERT, [tx.tenantId, newId()]);
      await tx.announce(fixtureMade());
    });

  it('lets no more be added than its quota, however many add at once', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, add));
    const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(refusals).toHaveLength(5);
    for (const refusal of refusals) expect(refusal).toBeInstanceOf(QuotaExceeded);
    expect(await tenants.rows(caller, COUNT, [caller.tenantId])).toEqual([{ count: 5n }]);
  });

  it('refuses a feature that it does not include', () => {
    expect(() => requireFeature(caller, 'custom_roles')).toThrow(FeatureNotInPlan);
    expect(() => requireFeature({ ...caller, plan: 'standard' }, 'custom_roles')).not.toThrow();
  });
});
