import { Conflict, newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { fixtureMade, TestDatabase } from '@holdfast/testing';
import type { TenantDatabase } from './tenant-database';
import type { TenantTx } from './tenant-tx';

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

  it('undoes what is behind a savepoint that fails, also behind one inside it that has ended well', async () => {
    const caller = await database.caller(newId());
    const append = (tx: TenantTx): Promise<void> =>
      tx.announce({ ...fixtureMade(), id: newId(), streamId: newId() });
    await tenants.transaction(caller, async (tx) => {
      await append(tx);
      await tx
        .savepoint(async () => {
          await append(tx);
          await tx.savepoint(() => append(tx));
          throw new Conflict();
        })
        .catch(() => {}); // As planned.
      await tx.savepoint(() => append(tx));
      await tx.savepoint(() => Promise.reject(new Conflict())).catch(() => {}); // With nothing behind it.
    });
    expect(
      await database.admin('select 1 from events.log where tenant_id = $1', [caller.tenantId]),
    ).toHaveLength(2);
  });

  it('keeps back what is announced, and forgets of it what is rolled back', async () => {
    const caller = await database.caller(newId());
    const [kept, undone] = [newId(), newId()];
    const append = (tx: TenantTx, streamId: string): Promise<void> =>
      tx.announce({ ...fixtureMade(), id: newId(), streamId });
    await tenants.transaction(caller, async (tx) => {
      tx.collectEvents();
      await tx.savepoint(() => append(tx, kept));
      await tx
        .savepoint(async () => {
          await append(tx, undone);
          throw new Conflict();
        })
        .catch(() => {}); // As planned.
      await tx.appendCollected();
    });
    expect(
      await database.admin('select stream_id from events.log where tenant_id = $1', [caller.tenantId]),
    ).toEqual([{ stream_id: kept }]);
  });

  it('says of what was rolled back to a savepoint that it was not committed', async () => {
    const ends: string[] = [];
    await tenants.transaction(await database.caller(), async (tx) => {
      tx.onEnd((isCommitted) => ends.push(`first ${isCommitted}`));
      await tx
        .savepoint(() => {
          tx.onEnd((isCommitted) => ends.push(`undone ${isCommitted}`));
          return Promise.reject(new Conflict());
        })
        .catch(() => {}); // As planned.
    });
    expect(ends).toEqual(['undone false', 'first true']);
  });
});
