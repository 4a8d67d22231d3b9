import { rm } from 'node:fs/promises';
import { TestDatabase } from '@holdfast/testing';
import { announce, announceIn } from '../../test/announced';
import { findFaults, readSealedTrees } from '../../test/sealed-log';
import { testLogKey, TestSealer } from '../../test/test-sealer';

describe('The sealer', () => {
  let database: TestDatabase;
  let sealer: TestSealer;

  beforeEach(async () => {
    database = await TestDatabase.create();
    sealer = await TestSealer.create(database);
  });
  afterEach(async () => {
    await sealer.close();
    await database.drop();
  });

  it('gives every event of every tenant one leaf under a signed checkpoint', async () => {
    const tenants = [await announce(database, 3), await announce(database, 700), await announce(database, 1)];
    await sealer.seal();
    for (const tenantId of tenants) expect(await findFaults(database, sealer, tenantId)).toEqual([]);
    await announce(database, 300, tenants[0]);
    await announce(database, 1, tenants[1]);
    await sealer.seal();
    for (const tenantId of tenants) expect(await findFaults(database, sealer, tenantId)).toEqual([]);
    const [tree] = await readSealedTrees(database, tenants[0] ?? '');
    expect(tree?.size).toBe(304);
  });

  it('seals an event that commits late behind those that were sealed before it', async () => {
    const tenantId = await announce(database, 2);
    const caller = await database.caller(tenantId);
    const late = await database.tenants(1).transaction(caller, async (tx) => {
      const ids = await announceIn(tx, 2);
      await announce(database, 2, tenantId);
      await sealer.seal();
      return ids;
    });
    await announce(database, 1, tenantId);
    await sealer.seal();
    expect(await findFaults(database, sealer, tenantId)).toEqual([]);
    const [tree] = await readSealedTrees(database, tenantId);
    expect(tree?.eventIds.slice(5, 7)).toEqual(late);
  });

  it('goes on from the tiles where another process has left off', async () => {
    const tenantId = await announce(database, 700);
    await sealer.seal();
    await sealer.stop();
    const { directory, privateKeys } = sealer;
    const next = await TestSealer.create(database, { directory, privateKeys });
    await announce(database, 70, tenantId);
    await next.seal();
    expect(await findFaults(database, next, tenantId)).toEqual([]);
    expect(next.warnings).toEqual([]);
    await next.stop();
  });

  it('takes checkpoints over from the database where its memory is lost, and says so', async () => {
    const tenantId = await announce(database, 5);
    await sealer.seal();
    await sealer.stop();
    await rm(sealer.directory, { recursive: true });
    const next = await TestSealer.create(database, {
      directory: sealer.directory,
      privateKeys: sealer.privateKeys,
    });
    await announce(database, 1, tenantId);
    await next.seal();
    expect(next.warnings).toEqual([expect.stringContaining(`${tenantId}/1 at 6`)]);
    expect(await findFaults(database, next, tenantId)).toEqual([]);
    await next.stop();
  });

  it('signs with every key while one replaces the other', async () => {
    const tenantId = await announce(database, 1);
    await sealer.seal();
    await sealer.stop();
    const [old = ''] = sealer.privateKeys;
    const both = await TestSealer.create(database, {
      directory: sealer.directory,
      privateKeys: [testLogKey(), old],
    });
    await announce(database, 1, tenantId);
    await both.seal();
    expect(await findFaults(database, both, tenantId)).toEqual([]);
    expect(await findFaults(database, sealer, tenantId)).toEqual([]);
    const keys = await database.admin<{ public_key: Buffer }>('select public_key from audit.log_keys');
    expect(keys.map((row) => row.public_key.toString('hex')).toSorted()).toEqual(
      [both.publicKey, sealer.publicKey].map((key) => key.toString('hex')).toSorted(),
    );
    await both.stop();
  });
});
