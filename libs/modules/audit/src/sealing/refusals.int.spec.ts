import { newId } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import { announce } from '../../test/announced';
import { findFaults, readSealedTrees } from '../../test/sealed-log';
import { testLogKey, TestSealer, type TestSealerOptions } from '../../test/test-sealer';

// Guards: the sealer never signs a history other than the one that it signed before, and a bad log delays nobody else's.
describe('A log that was changed behind the sealer', () => {
  let database: TestDatabase;
  let sealer: TestSealer;
  let tenantId: string;
  let next: TestSealer | undefined;

  beforeEach(async () => {
    database = await TestDatabase.create();
    sealer = await TestSealer.create(database);
    tenantId = await announce(database, 300);
    await sealer.seal();
    await sealer.stop();
  });
  afterEach(async () => {
    await next?.stop();
    next = undefined;
    await sealer.close();
    await database.drop();
  });

  /** Seals one more event of the tenant and of another one, in another process; answers why it refused the tenant. */
  const refusalOf = async (options: TestSealerOptions = {}): Promise<unknown> => {
    const { directory, privateKeys } = sealer;
    next = await TestSealer.create(database, { directory, privateKeys, ...options });
    const before = await readSealedTrees(database, tenantId);
    await announce(database, 1, tenantId);
    const other = await announce(database, 2);
    await expect(next.seal()).rejects.toThrow('sealing failed');
    expect(await findFaults(database, next, other)).toEqual([]);
    expect((await readSealedTrees(database, tenantId)).map(({ note }) => note)).toEqual(
      before.map(({ note }) => note),
    );
    expect(next.errors).toHaveLength(1);
    return next.errors[0];
  };
  const tiles = (change: string, level: number, tile: number): Promise<unknown> =>
    database.admin(`update audit.tiles set ${change} where tenant_id = $1 and level = $2 and tile = $3`, [
      tenantId,
      level,
      tile,
    ]);

  it('is not signed where a leaf under a checkpoint is another one', async () => {
    await tiles('hashes = set_byte(hashes, 40, get_byte(hashes, 40) # 1)', 0, 1);
    expect(await refusalOf()).toMatchObject({ reason: 'fork' });
  });

  it('is not signed where the tile above the leaves is another one', async () => {
    await tiles('hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1)', 1, 0);
    expect(await refusalOf()).toMatchObject({ reason: 'fork' });
  });

  it('is not signed where leaves were taken away', async () => {
    await tiles('hashes = substring(hashes for 32 * 20), width = 20', 0, 1);
    await database.admin('update audit.trees set size = 276 where tenant_id = $1', [tenantId]);
    expect(await refusalOf()).toMatchObject({ reason: 'behind' });
  });

  it('is not signed where a tile is gone', async () => {
    await database.admin('delete from audit.tiles where tenant_id = $1 and level = 1', [tenantId]);
    expect(await refusalOf()).toMatchObject({ reason: 'tiles' });
  });

  it('is not signed where the whole tree was taken away', async () => {
    await database.admin('delete from audit.trees where tenant_id = $1', [tenantId]);
    expect(await refusalOf()).toMatchObject({ reason: 'behind' });
  });

  it('keeps nobody else from being sealed where an epoch stands without its tree', async () => {
    const { directory, privateKeys } = sealer;
    next = await TestSealer.create(database, { directory, privateKeys });
    const fresh = newId();
    await database.admin("insert into audit.epochs (tenant_id, epoch, entry) values ($1, 1, '{}')", [fresh]);
    await announce(database, 1, fresh);
    await announce(database, 1, tenantId);
    await expect(next.seal()).rejects.toThrow('sealing failed');
    expect(next.errors).toEqual([expect.objectContaining({ reason: 'changed' })]);
    expect(await findFaults(database, next, tenantId)).toEqual([]);
  });

  it('is not signed where what was stored while a tree grew is not what was sealed', async () => {
    const { directory, privateKeys } = sealer;
    next = await TestSealer.create(database, { directory, privateKeys });
    await announce(database, 1, tenantId);
    await next.seal();
    // Another writer changes the upper tile while the sealer has the tree in its memory.
    await tiles('hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1)', 1, 0);
    await announce(database, 1, tenantId);
    await expect(next.seal()).rejects.toThrow('sealing failed');
    expect(next.errors).toEqual([expect.objectContaining({ reason: 'root' })]);
  });

  it('is not taken over where its checkpoint is signed by another key', async () => {
    const options = { directory: `${sealer.directory}-${newId()}`, privateKeys: [testLogKey()] };
    expect(await refusalOf(options)).toMatchObject({ reason: 'unverified' });
  });
});
