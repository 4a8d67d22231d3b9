import { formatVerifierKey } from '@holdfast/tlog';
import { TestDatabase } from '@holdfast/testing';
import { announce, announceIn } from '../../test/announced';
import { runVerifier, writeBundle } from '../../test/bundle-check';
import { TestSealer } from '../../test/test-sealer';
import { treeVerifierKey } from '../sealing/log-keys';
import { verifyLog } from './verify-by-hand';

describe('The verification of a log that the sealer made', () => {
  let database: TestDatabase;
  let sealer: TestSealer;

  beforeAll(async () => {
    database = await TestDatabase.create();
    sealer = await TestSealer.create(database);
  });
  afterAll(async () => {
    await sealer.close();
    await database.drop();
  });

  it('finds nothing, here and in an export, while events wait for their leaves and others are sealed meanwhile', async () => {
    const tenantId = await announce(database, 700);
    await sealer.seal();
    const caller = await database.caller(tenantId);
    const tenants = database.tenants(2);
    await announce(database, 30, tenantId);
    expect(await verifyLog(tenants, caller, { publicKeys: [sealer.publicKey] })).toMatchObject({
      ...{ checked: 730, findings: [], epochs: [{ epoch: 1, size: 701 }] },
    });
    let pages = 0;
    const growing = verifyLog(tenants, caller, { onPage: () => void (pages += 1) });
    await sealer.seal();
    expect((await growing).findings).toEqual([]);
    expect(pages).toBeGreaterThan(1);

    const bundle = await writeBundle(tenants, caller, { log: sealer.logName });
    const key = formatVerifierKey(treeVerifierKey(sealer.logName, { tenantId, epoch: 1 }, sealer.publicKey));
    expect(runVerifier({ 'log.ndjson': bundle }, ['log.ndjson', '--key', key])).toMatchObject({
      ...{ status: 0, findings: [], events: 730, unsealed: 0 },
    });
  });

  it('takes transactions that commit late for what they are', async () => {
    const tenantId = await announce(database, 3);
    const caller = await database.caller(tenantId);
    const tenants = database.tenants(2);
    let commit = (): void => {};
    let isOpen = (): void => {};
    const opened = new Promise<void>((resolve) => (isOpen = resolve));
    const late = tenants.transaction(caller, async (tx) => {
      await announceIn(tx, 2);
      isOpen();
      await new Promise<void>((resolve) => (commit = resolve));
    });
    await opened;
    await announce(database, 600, tenantId);
    await sealer.seal();
    commit();
    await late;
    // Their seqs lie below those of six hundred leaves, and they have none yet.
    expect(await verifyLog(tenants, caller)).toMatchObject({ findings: [] });
    await sealer.seal();
    expect(await verifyLog(tenants, caller)).toMatchObject({ checked: 605, findings: [] });
  });

  it('lets a tree that has just begun wait for its checkpoint, and no other', async () => {
    const tenantId = await announce(database, 3);
    await sealer.seal();
    await database.admin('delete from audit.checkpoints where tenant_id = $1', [tenantId]);
    const verified = async (): Promise<unknown> =>
      (await verifyLog(database.tenants(1), await database.caller(tenantId), { lagSeconds })).findings;
    let lagSeconds = 300;
    expect(await verified()).toEqual([]);
    lagSeconds = 0;
    expect(await verified()).toMatchObject([{ kind: 'signature', message: 'the tree has no checkpoint' }]);
  });

  it('says which events wait for longer than a sealer may take', async () => {
    const tenantId = await announce(database, 2);
    await database.admin(
      "update events.log set occurred_at = occurred_at - interval '1 hour' where tenant_id = $1",
      [tenantId],
    );
    const { findings } = await verifyLog(database.tenants(1), await database.caller(tenantId));
    expect(findings.map(({ kind }) => kind)).toEqual(['unsealed', 'unsealed']);
  });
});
