import { parseCheckpoint, parseNote } from '@holdfast/tlog';
import { TestDatabase } from '@holdfast/testing';
import { HandSealer } from '../../test/hand-sealer';
import { TamperedLog } from '../../test/tampered-log';

// Guards: a backup that is restored a second time is no tampering, and an epoch that was taken away is.
describe('A log without the epoch between two', () => {
  let database: TestDatabase;
  let log: TamperedLog;
  let lost: string;

  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  afterAll(() => database.drop());

  /** Epoch 2 was begun on a first restore of a backup with eight events, and the third on a second one, which has none of it. */
  const restoreTwice = async (kept: string, of = 2): Promise<void> => {
    const { sealer, tenantId, eventIds } = log;
    const first = await sealer.seal(tenantId, { eventIds: eventIds.slice(0, 8) });
    const previous = { checkpoint: first, kept: '9' };
    lost = await sealer.seal(tenantId, { epoch: 2, eventIds: eventIds.slice(8, 12), previous });
    for (const table of ['tiles', 'leaves', 'checkpoints', 'epochs'])
      await database.admin(`delete from audit.${table} where tenant_id = $1 and epoch = 2`, [tenantId]);
    const checkpoint = of === 2 ? lost : first;
    await sealer.seal(tenantId, {
      epoch: 3,
      eventIds: eventIds.slice(8),
      previous: { checkpoint, kept, behind: first },
    });
  };

  beforeEach(async () => {
    log = await TamperedLog.create(database, new HandSealer(database), 20);
  });

  it('holds where the next one names its last checkpoint, and says so', async () => {
    await restoreTwice('0');
    const says = 'epoch 2 is not there: the first leaf of epoch 3 says that a restore lost it';
    expect(await log.verifyExport()).toMatchObject({ status: 0, findings: [], events: 20, notes: [says] });
    expect(await log.verify()).toMatchObject({ findings: [], checked: 20, notes: [says] });
  });

  it('holds against a checkpoint of it that was kept, and not against a longer one', async () => {
    await restoreTwice('0');
    const { size, root } = parseCheckpoint(parseNote(lost).text);
    const claim = { epoch: 2, size: Number(size), root, by: 'a kept one' };
    expect(await log.verifyExport({ 'kept.txt': lost }, '--against', 'kept.txt')).toMatchObject({
      status: 0,
    });
    expect(await log.verify({ claims: [claim] })).toMatchObject({ findings: [] });
    const { findings } = await log.verify({ claims: [{ ...claim, size: claim.size + 1 }] });
    expect(findings).toMatchObject([{ kind: 'cut', epoch: 2 }]);
  });

  it('does not hold where the tree before it is gone as well, or its end', async () => {
    await restoreTwice('0');
    const { sealer, tenantId, eventIds } = log;
    const kept = eventIds.slice(0, 5);
    await log.tamper(
      `delete from events.log where tenant_id = $1 and id = any ('{${eventIds.slice(5, 8).join(',')}}')`,
    );
    await sealer.seal(tenantId, { eventIds: kept });
    await log.tamper('delete from audit.trees where tenant_id = $1');
    await log.tamper(
      `insert into audit.trees (tenant_id, epoch, lineage, size, earlier) values ($1, 3, 1, 13, pg_current_snapshot())`,
    );
    const shorter = [await log.verifyExport(), await log.verify()];
    for (const table of ['tiles', 'leaves', 'checkpoints', 'epochs'])
      await log.tamper(`delete from audit.${table} where tenant_id = $1 and epoch = 1`);
    await log.tamper(`delete from events.log where tenant_id = $1 and id = any ('{${kept.join(',')}}')`);
    for (const { findings } of [...shorter, await log.verifyExport(), await log.verify()])
      expect(findings).toContainEqual(expect.objectContaining({ kind: 'epoch' }));
  });

  it.each([
    { what: 'says that leaves of it are kept', kept: '5', of: 2 },
    { what: 'names a checkpoint of another one', kept: '0', of: 1 },
  ])('does not hold where the next one $what', async ({ kept, of }) => {
    await restoreTwice(kept, of);
    const missing = { kind: 'epoch', message: 'epoch 2 is not there' };
    const exported = await log.verifyExport();
    expect(exported.status).toBe(1);
    expect(exported.findings).toContainEqual(expect.objectContaining(missing));
    const { findings, notes } = await log.verify();
    expect(findings).toContainEqual(expect.objectContaining(missing));
    expect(notes).toEqual([]);
  });
});
