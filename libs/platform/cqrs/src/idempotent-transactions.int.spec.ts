import { type Caller, NotFound } from '@holdfast/kernel';
import { DatabaseUnavailable, statement } from '@holdfast/database';
import type { TenantTx } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { setTimeout as sleep } from 'node:timers/promises';
import { IdempotencyInFlight, IdempotencyKeyReused, StoredRefusal } from './idempotency.errors';
import { IdempotentTransactions } from './idempotent-transactions';
import { type Idempotency, TenantCommand } from './messages';
import { Refusals } from './refusals';
import { Tallies } from './tallies';

class AddUsage extends TenantCommand<{ readonly type: string }, { readonly added: string }> {
  readonly scope = 'ledger:write';
}

const ADD = statement(
  'test.add_usage',
  `insert into tenants.usage_counts (tenant_id, used_on, event_type, event_count) values ($1, '2026-01-01', $2, 1)
   on conflict (tenant_id, used_on, event_type) do update set event_count = usage_counts.event_count + 1`,
);
const COUNT = statement<{ event_count: bigint }>(
  'test.count_usage',
  'select event_count from tenants.usage_counts where tenant_id = $1 and event_type = $2',
);

describe('IdempotentTransactions', () => {
  let database: TestDatabase;
  let caller: Caller;
  let transactions: IdempotentTransactions;
  const pods: IdempotentTransactions[] = [];

  beforeAll(async () => {
    database = await TestDatabase.create();
    const tenants = database.tenants(20);
    for (let pod = 0; pod < 2; pod += 1)
      pods.push(new IdempotentTransactions(tenants, new Refusals(new Tallies(tenants))));
    transactions = pods[0]!;
  });
  beforeEach(async () => {
    caller = await database.caller();
  });
  afterAll(() => database.drop());

  const add = (
    key: Idempotency,
    type = 'a',
    on = transactions,
    then?: () => Promise<void>,
  ): Promise<{ readonly added: string }> =>
    on.run(new AddUsage(caller, { type }, key), async (tx: TenantTx) => {
      await tx.execute(ADD, [tx.tenantId, type]);
      await then?.();
      return { added: type };
    });
  const count = async (type = 'a'): Promise<bigint | undefined> => {
    const tenants = database.tenants(1);
    return (await tenants.rows(caller, COUNT, [caller.tenantId, type]))[0]?.event_count;
  };
  const fresh = (key = 'k'): Idempotency => ({ key, replayed: false });

  it('acts once and answers the same when the request is repeated', async () => {
    expect(await add(fresh())).toEqual({ added: 'a' });
    const again = fresh();
    expect(await add(again)).toEqual({ added: 'a' });
    expect(again.replayed).toBe(true);
    expect(await count()).toBe(1n);
  });

  it('refuses another body under the key', async () => {
    await add(fresh());
    await expect(add(fresh(), 'b')).rejects.toBeInstanceOf(IdempotencyKeyReused);
    expect(await count('b')).toBeUndefined();
  });

  it('keeps keys of tenants and actors apart', async () => {
    await add(fresh());
    caller = await database.caller();
    const other = fresh();
    await add(other);
    expect(other.replayed).toBe(false);
  });

  it('stores a refusal, and undoes what its handler had written', async () => {
    const refuse = async (): Promise<void> => {
      throw new NotFound();
    };
    await expect(add(fresh(), 'a', transactions, refuse)).rejects.toBeInstanceOf(NotFound);
    expect(await count()).toBeUndefined();
    const again = add(fresh());
    await expect(again).rejects.toBeInstanceOf(StoredRefusal);
    await expect(again).rejects.toMatchObject({ code: 'resource.not_found', kind: 'not_found' });
  });

  it('does not store an outage', async () => {
    const fail = async (): Promise<void> => {
      throw new DatabaseUnavailable(undefined);
    };
    await expect(add(fresh(), 'a', transactions, fail)).rejects.toMatchObject({
      code: 'database.unavailable',
    });
    expect(await add(fresh())).toEqual({ added: 'a' });
  });

  it('has one effect and one answer for fifty requests at once in two processes', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, index) => add(fresh(), 'a', pods[index % 2], () => sleep(50))),
    );
    const answers = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    const refusals = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(answers.length).toBeGreaterThanOrEqual(1);
    for (const { reason } of refusals) expect(reason).toBeInstanceOf(IdempotencyInFlight);
    expect(refusals.length).toBeGreaterThan(40);
    expect(await count()).toBe(1n);
  });

  it('forgets answers of yesterday, two for each that it stores', async () => {
    for (const key of ['old1', 'old2', 'old3']) await add(fresh(key));
    await database.admin(
      `update idempotency.answers set created_at = now() - interval '2 days' where tenant_id = $1`,
      [caller.tenantId],
    );
    await add(fresh('new'));
    const left = await database.admin<{ key: string }>(
      'select key from idempotency.answers where tenant_id = $1',
      [caller.tenantId],
    );
    expect(left).toHaveLength(2);
    expect(left).toContainEqual({ key: 'new' });
  });
});
