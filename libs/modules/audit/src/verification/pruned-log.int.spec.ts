import { newId } from '@holdfast/kernel';
import { TestDatabase } from '@holdfast/testing';
import type { Verdict } from '../../test/bundle-check';
import { HandSealer } from '../../test/hand-sealer';
import { TamperedLog } from '../../test/tampered-log';
import type { VerifiedLog } from './verify-by-hand';

// Guards: where rows may be gone, nobody hides behind those that are.
describe('A log of which rows were pruned', () => {
  let database: TestDatabase;
  let log: TamperedLog;

  beforeAll(async () => {
    database = await TestDatabase.create();
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    log = await TamperedLog.create(database, new HandSealer(database), 0);
  });

  /** The retention says that rows of the leaves so far may go. */
  async function announcePruning(): Promise<void> {
    const { tenantId, eventIds } = log;
    const payload = { tenantId, epoch: 1, prunedTo: String(eventIds.length + 1), size: '1', root: 'x' };
    const id = newId();
    await log.tenants.transaction(await database.part('pruner', tenantId), (tx) =>
      tx.announce({
        ...{ id, type: 'audit.log.pruned', schemaVersion: 1, streamType: 'audit.log', streamId: id },
        ...{ streamVersion: 1n, payload: JSON.stringify(payload) },
      }),
    );
    eventIds.push(id);
  }

  const remove = (ids: readonly string[]): Promise<void> =>
    log.tamper(`delete from events.log where tenant_id = $1 and id = any ('{${ids.join(',')}}')`);

  async function verify(): Promise<{ readonly exported: Verdict; readonly stored: VerifiedLog }> {
    return { exported: await log.verifyExport(), stored: await log.verify() };
  }

  /** 1,200 streams of two, in the midst of which something else happens; the first version of each was pruned. */
  async function prunedInPlaces(amid: () => Promise<void>): Promise<void> {
    await log.announce(1_400, 2);
    const first = log.eventIds.filter((_, at) => at % 2 === 0);
    await amid();
    const from = log.eventIds.length;
    await log.announce(1_000, 2);
    first.push(...log.eventIds.slice(from).filter((_, at) => at % 2 === 0));
    await announcePruning();
    await log.announce(30);
    await log.sealer.seal(log.tenantId);
    await remove(first);
    await log.tamper(`update audit.epochs set pruned_to = ${log.eventIds.length - 30} where tenant_id = $1`);
  }

  it('holds, and does not where one is gone behind a thousand places in which rows were pruned', async () => {
    await prunedInPlaces(() => Promise.resolve());
    const before = await verify();
    expect([before.exported.findings, before.stored.findings]).toEqual([[], []]);
    const at = log.eventIds.length - 1;
    await remove(log.eventIds.slice(at));
    const { exported, stored } = await verify();
    const missing = { kind: 'missing', index: at + 1, eventId: log.eventIds[at] };
    expect([exported.findings, stored.findings]).toMatchObject([[missing], [missing]]);
  });

  it('does not hold where versions are missing among a thousand streams that begin late', async () => {
    let behind: string[] = [];
    await prunedInPlaces(async () => {
      await log.announce(900);
      const added = log.eventIds.splice(1_400);
      await remove(added.filter((_, at) => at % 3 === 1));
      log.eventIds.push(...added.filter((_, at) => at % 3 !== 1));
      behind = added.filter((_, at) => at % 3 === 2);
    });
    const { exported, stored } = await verify();
    const gaps = behind.map((eventId) => ({ kind: 'gap', eventId }));
    expect([exported.findings, stored.findings]).toMatchObject([gaps, gaps]);
  });

  /** Thirty events in streams of three, of each of which the retention removes two. */
  async function announcePruned(): Promise<void> {
    await log.announce(30);
    await announcePruning();
  }
  async function prune(): Promise<void> {
    await log.sealer.seal(log.tenantId);
    await log.tamper('update audit.epochs set pruned_to = 31 where tenant_id = $1');
    await remove(log.eventIds.filter((_, at) => at < 30 && at % 3 < 2));
  }

  it('does not hold where the last event of a stream is gone as well, which stays', async () => {
    await announcePruned();
    await prune();
    const before = await verify();
    expect([before.exported.findings, before.stored.findings]).toEqual([[], []]);
    await remove(log.eventIds.slice(5, 6));
    const { exported, stored } = await verify();
    expect(exported.findings).toMatchObject([{ kind: 'missing', index: 4, eventId: log.eventIds[3] }]);
    expect(stored.findings).toMatchObject([{ kind: 'missing', epoch: 1 }]);
  });

  it('does not hold where the first event of a stream was deleted before it was sealed', async () => {
    await announcePruned();
    await log.announce(3);
    await remove(log.eventIds.splice(-3, 1));
    await prune();
    const { exported, stored } = await verify();
    expect([exported.findings, stored.findings]).toMatchObject([[{ kind: 'gap' }], [{ kind: 'gap' }]]);
  });
});
