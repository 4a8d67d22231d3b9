import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestDatabase } from '@holdfast/testing';
import { announce, announceIn } from '../../test/announced';
import { findFaults, readSealedTrees } from '../../test/sealed-log';
import { makeTestTick, testLogKey, TestSealer } from '../../test/test-sealer';
import { GrowingTree } from './growing-tree';
import { findSealedLineage, sealing } from './sealer-lease.sql';
import { lookAtLog } from './sealing-look.sql';
import { grow, readPages } from './sealing-round';
import { StandbyRule } from './standby-rule';
import { listDueTenants } from './trees.sql';

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

  it('has a tenant due again whose next tick came between the look and the list of who is due', async () => {
    const tenantId = await announce(database, 3);
    await sealer.seal();
    await announce(database, 1, tenantId);
    await makeTestTick(database);
    const [look, page] = await sealing(
      database.as('holdfast_sealer', 1),
      async (tx) => {
        const lineage = await findSealedLineage(tx);
        if (!lineage) throw new Error('there is no lineage');
        const seen = await lookAtLog(tx, lineage, new StandbyRule());
        await announce(database, 1, tenantId);
        await makeTestTick(database);
        const asked = { restMs: 0, except: [], lineage: 1, limit: 1, vacant: new Map<string, bigint>() };
        const [read] = await readPages(tx, await listDueTenants(tx, asked), seen);
        return [seen, read] as const;
      },
      'read only',
    );
    if (!page) throw new Error('nobody is due');
    const grown = await grow(page, GrowingTree.empty(), look, undefined);
    expect([page.rows.length, grown?.change.after.tick]).toEqual([1, look.tick]);
  });

  it('has a tenant due whose very first tick came between the look and the list of who is due', async () => {
    await announce(database, 1);
    await sealer.seal();
    await announce(database, 1);
    await makeTestTick(database);
    // The list waits for this lock, and the look does not.
    const locked = database.admin(
      'begin; lock table audit.trees in access exclusive mode; select pg_sleep(1.5); commit',
    );
    const isLocked = async (granted: boolean): Promise<boolean> =>
      (
        await database.admin(
          "select from pg_locks where relation = 'audit.trees'::regclass and granted = $1 limit 1",
          [granted],
        )
      ).length > 0;
    while (!(await isLocked(true))) await sleep(10);
    const round = sealer.sealer.round();
    while (!(await isLocked(false))) await sleep(10);
    const tenantId = await announce(database, 1);
    await makeTestTick(database);
    expect(await isLocked(false)).toBe(true);
    await Promise.all([locked, round]);
    for (let rounds = 0; rounds < 3; rounds += 1) await sealer.sealer.round();
    expect(await findFaults(database, sealer, tenantId)).toEqual([]);
    expect(await readSealedTrees(database, tenantId)).toHaveLength(1);
  });

  it('leaves out a tenant whose events cannot be read, and goes on with the others', async () => {
    const [bad, ...good] = [
      await announce(database, 1),
      ...(await Promise.all([1, 2, 3, 4].map(() => announce(database, 2)))),
    ];
    // As a damaged page does, or payloads that take longer than a statement may.
    await database.admin(
      `alter function events.read_tenant_span rename to read_sound_span;
       create function events.read_tenant_span(tenant uuid, earlier pg_snapshot, later pg_snapshot, after_seq bigint, page_size int)
       returns setof events.log language plpgsql stable as $$
       begin
         if tenant = '${bad}' then raise exception 'invalid page' using errcode = 'XX001'; end if;
         return query select * from events.read_sound_span(tenant, earlier, later, after_seq, page_size);
       end $$;
       grant execute on function events.read_tenant_span to holdfast_sealer`,
    );
    await makeTestTick(database);
    for (let round = 0; round < 20; round += 1) await sealer.sealer.round();
    for (const tenantId of good) expect(await findFaults(database, sealer, tenantId)).toEqual([]);
    expect(sealer.errors.at(-1)).toMatchObject({ reason: 'unreadable' });
    sealer.errors.length = 0;
    expect(await readSealedTrees(database, bad ?? '')).toEqual([]);
  });

  it('comes back to a tenant that rested, however long the round took meanwhile', async () => {
    const slow = await TestSealer.create(database, { restMs: 300, directory: sealer.directory });
    const tenantId = await announce(database, 3);
    await makeTestTick(database);
    await slow.sealer.round();
    await announce(database, 1, tenantId);
    await makeTestTick(database);
    await slow.sealer.round();
    await sleep(2_000);
    for (let round = 0; round < 5; round += 1) await slow.sealer.round();
    const [tree] = await readSealedTrees(database, tenantId);
    expect(tree?.eventIds).toHaveLength(5);
    await slow.stop();
  });

  it('tells an instant from the same one before Christ', async () => {
    const tenantId = await announce(database, 1);
    await sealer.seal();
    await database.admin(
      `update events.log
       set occurred_at = (to_char(occurred_at at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US') || '+00 BC')::timestamptz
       where tenant_id = $1`,
      [tenantId],
    );
    expect(await findFaults(database, sealer, tenantId)).toEqual([
      `${tenantId}/1: leaf 1 does not fit its row`,
    ]);
  });

  it('keeps the newest checkpoint the newest where the clock is put back over the hour', async () => {
    const tenantId = await announce(database, 3);
    await sealer.seal();
    await database.admin("update audit.checkpoints set hour = hour + interval '1 hour'");
    await announce(database, 3, tenantId);
    await sealer.seal();
    expect(await findFaults(database, sealer, tenantId)).toEqual([]);
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
