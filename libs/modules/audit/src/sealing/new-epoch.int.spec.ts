import { bumpEpoch } from '@holdfast/events';
import { newId } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import { announce } from '../../test/announced';
import { findFaults, readSealedTrees } from '../../test/sealed-log';
import { makeTestTick, TestSealer } from '../../test/test-sealer';

// Guards: a restore of an old backup never has a checkpoint signed that contradicts an earlier one of its tree.
describe('A database that went back', () => {
  let database: TestDatabase;
  let backup: TestDatabase;
  let sealer: TestSealer;
  const opened: TestSealer[] = [];

  const successor = async (of: TestDatabase): Promise<TestSealer> => {
    const { directory, privateKeys } = sealer;
    const next = await TestSealer.create(of, { directory, privateKeys });
    opened.push(next);
    return next;
  };
  const bump = (of: TestDatabase): Promise<number> =>
    bumpEpoch(of.as('holdfast_ops', 1), 'tester', 'restored from a backup');

  beforeEach(async () => {
    database = await TestDatabase.create();
    sealer = await TestSealer.create(database);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.stop()));
    await sealer.close();
    await Promise.all([database.drop(), backup.drop()]);
  });

  it('is not signed until the operator has begun another epoch, whose first leaf names what was signed', async () => {
    const tenantId = await announce(database, 300);
    const other = await announce(database, 3);
    await sealer.seal();
    await sealer.stop();
    backup = await database.copy();
    const ahead = await successor(database);
    await announce(database, 200, tenantId);
    const late = await announce(database, 2);
    await ahead.seal();
    await ahead.stop();
    const [signed] = await readSealedTrees(database, tenantId);

    const next = await successor(backup);
    await announce(backup, 4, tenantId);
    await announce(backup, 4, other);
    await expect(next.seal()).rejects.toThrow('sealing failed');
    expect(next.errors).toEqual([expect.objectContaining({ name: 'LogRefused', reason: 'behind' })]);
    next.errors.length = 0;
    // The others go on.
    expect(await findFaults(backup, next, other)).toEqual([]);

    expect(await bump(backup)).toBe(2);
    await announce(backup, 1, late);
    await next.seal();
    for (const each of [tenantId, other, late]) expect(await findFaults(backup, next, each)).toEqual([]);
    const [first, second] = await readSealedTrees(backup, tenantId);
    expect([first?.size, second?.size]).toEqual([301, 5]);
    expect(JSON.parse(second?.entry ?? '')).toMatchObject({
      epoch: 2,
      previous: { checkpoint: signed?.note, kept: '301' },
    });
    // Of this one the backup had nothing.
    const [begun] = await readSealedTrees(backup, late);
    expect(JSON.parse(begun?.entry ?? '')).toMatchObject({ epoch: 2, previous: { kept: '0' } });
  });

  it('begins a third epoch where the same backup is put back a second time', async () => {
    const tenantId = await announce(database, 3);
    await sealer.seal();
    await sealer.stop();
    backup = await database.copy();
    const again = await database.copy();
    await bump(backup);
    const first = await successor(backup);
    await announce(backup, 2, tenantId);
    await first.seal();
    await first.stop();
    await bump(again);
    const second = await successor(again);
    await announce(again, 2, tenantId);
    await second.seal();
    await second.stop();
    const trees = await readSealedTrees(again, tenantId);
    expect(trees.map(({ epoch }) => epoch)).toEqual([1, 3]);
    // So that nobody takes the first one away with the second.
    expect(JSON.parse(trees[1]?.entry ?? '')).toMatchObject({
      previous: { kept: '0', behind: trees[0]?.note },
    });
    expect(await findFaults(again, second, tenantId)).toEqual([]);
    await again.drop();
  });

  it('keeps what is under a stored checkpoint, and moves the leaves behind it', async () => {
    const tenantId = await announce(database, 300);
    await sealer.seal();
    const [before] = await database.admin<{ size: string; root: Buffer; note: string }>(
      'select size, root, note from audit.checkpoints where tenant_id = $1',
      [tenantId],
    );
    await announce(database, 700, tenantId);
    await sealer.seal();
    await sealer.stop();
    // As if the process had ended between the commit of the leaves and the checkpoint over them.
    await database.admin(
      'update audit.checkpoints set size = $2, root = $3, note = $4 where tenant_id = $1',
      [tenantId, before?.size, before?.root, before?.note],
    );
    backup = await database.copy();
    await bump(backup);
    const next = await successor(backup);
    await next.seal();
    expect(await findFaults(backup, next, tenantId)).toEqual([]);
    const trees = await readSealedTrees(backup, tenantId);
    expect(trees.map(({ size }) => size)).toEqual([301, 701]);
  });

  it('goes on in its epoch where nothing was ever signed of it', async () => {
    const tenantId = newId();
    await announce(database, 2, tenantId);
    await makeTestTick(database);
    backup = await database.copy();
    await bump(backup);
    const next = await successor(backup);
    await next.seal();
    expect((await readSealedTrees(backup, tenantId)).map(({ epoch }) => epoch)).toEqual([1]);
    expect(await findFaults(backup, next, tenantId)).toEqual([]);
  });
});
