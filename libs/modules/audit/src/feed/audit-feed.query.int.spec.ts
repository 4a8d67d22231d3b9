import { type Caller, newId } from '@holdfast/kernel';
import { CursorInvalid, Readings, Tallies } from '@holdfast/cqrs';
import type { TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { announce } from '../../test/announced';
import { TestSealer } from '../../test/test-sealer';
import { AuditFeed, AuditFeedHandler, auditFeedInput, type AuditFeedView } from './audit-feed.query';
import { FeedFollowers } from './feed-followers';
import type { FeedLine } from './feed-page';

describe('The feed', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let sealer: TestSealer;
  let followers: FeedFollowers;
  let handler: AuditFeedHandler;
  let caller: Caller;

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants(10);
    sealer = await TestSealer.create(database);
  });
  beforeEach(async () => {
    caller = await database.caller();
    restart();
  });
  afterEach(() => followers.onModuleDestroy());
  afterAll(async () => {
    await sealer.close();
    await database.drop();
  });

  /** Another process, which remembers nothing. */
  function restart(): void {
    followers = new FeedFollowers();
    handler = new AuditFeedHandler(tenants, new Readings(new Tallies(tenants)), followers);
  }
  const feed = (
    input: object = {},
    by = caller,
    readmit = () => Promise.resolve(by),
  ): Promise<AuditFeedView> => handler.execute(new AuditFeed(by, auditFeedInput.parse(input), readmit));

  /** Reads on behind a cursor until there is nothing more, with a new process for each page. */
  async function readAll(after?: string, limit = 500): Promise<{ lines: FeedLine[]; cursor: string }> {
    const lines: FeedLine[] = [];
    for (let cursor = after; ;) {
      restart();
      const page = await feed({ limit, ...(cursor && { after: cursor }) });
      lines.push(...page.data);
      cursor = page.nextCursor;
      if (page.data.length === 0) return { lines, cursor };
    }
  }
  const idsOf = (lines: readonly FeedLine[]): string[] => lines.flatMap(({ event }) => event?.id ?? []);
  const loggedIds = async (): Promise<string[]> => {
    const rows = await database.admin<{ id: string }>('select id from events.log where tenant_id = $1', [
      caller.tenantId,
    ]);
    return rows.map(({ id }) => id).toSorted();
  };

  it('has every sealed event in the order of the log, with its place there', async () => {
    await announce(database, 600, caller.tenantId);
    await sealer.seal();
    const { lines } = await readAll(undefined, 250);
    expect(lines[0]).toMatchObject({
      kind: 'epoch',
      epoch: 1,
      index: '0',
      entry: expect.stringContaining('"epoch"'),
    });
    expect(lines.map(({ index }) => index)).toEqual(Array.from({ length: 601 }, (_, index) => String(index)));
    const leaves = await database.admin<{ id: string }>(
      `select e.id from audit.leaves l, unnest(l.event_ids) with ordinality e (id, place)
       where l.tenant_id = $1 order by l.tile, e.place offset 1`,
      [caller.tenantId],
    );
    expect(idsOf(lines)).toEqual(leaves.map(({ id }) => id));
    expect(lines[1]!.event).toMatchObject({
      type: 'probe.note.taken',
      actor: 'system:test',
      data: { note: 'a' },
    });
  });

  it('goes on behind any line', async () => {
    await announce(database, 5, caller.tenantId);
    await sealer.seal();
    const { data } = await feed();
    for (const [place, { cursor }] of data.entries())
      expect((await feed({ after: cursor })).data).toEqual(data.slice(place + 1));
  });

  it('shows nothing that is not under a checkpoint', async () => {
    await announce(database, 3, caller.tenantId);
    expect(await feed()).toMatchObject({ data: [] });
    await sealer.seal();
    await announce(database, 3, caller.tenantId);
    const { lines, cursor } = await readAll();
    expect(idsOf(lines)).toHaveLength(3);
    await sealer.seal();
    expect(idsOf((await readAll(cursor)).lines)).toHaveLength(3);
    // Leaves whose tile is committed and whose checkpoint is not stored.
    await database.admin('update audit.checkpoints set size = 5 where tenant_id = $1', [caller.tenantId]);
    expect((await readAll()).lines).toHaveLength(5);
  });

  it('gives each of 10,000 events of concurrent writers once, to a reader that is cut again and again', async () => {
    const writing = new AbortController();
    const writers = Array.from({ length: 10 }, async () => {
      for (let batch = 0; batch < 20; batch += 1) await announce(database, 50, caller.tenantId);
    });
    const sealing = (async () => {
      while (!writing.signal.aborted) await sealer.seal();
      await sealer.seal();
    })();
    const lines: FeedLine[] = [];
    let cursor: string | undefined;
    const readOn = async (): Promise<void> => {
      const read = await readAll(cursor, 130);
      lines.push(...read.lines);
      cursor = read.cursor;
    };
    const written = Promise.all(writers).finally(() => writing.abort());
    while (!writing.signal.aborted) await readOn();
    await Promise.all([written, sealing]);
    await readOn();
    const ids = idsOf(lines);
    expect(ids).toHaveLength(10_000);
    expect(ids.toSorted()).toEqual(await loggedIds());
    expect(lines.map(({ index }) => Number(index))).toEqual(
      Array.from({ length: 10_001 }, (_, index) => index),
    );
  }, 240_000);

  it('goes on into the next epoch, without a gap', async () => {
    await announce(database, 300, caller.tenantId);
    await sealer.seal();
    const before = await readAll(undefined, 100);
    await announce(database, 12, caller.tenantId);
    await sealIntoNextEpoch();
    const after = await readAll(before.cursor, 3);
    expect(after.lines[0]).toMatchObject({ kind: 'epoch', epoch: 2, index: '0' });
    expect([...idsOf(before.lines), ...idsOf(after.lines)].toSorted()).toEqual(await loggedIds());
    expect((await readAll()).lines.map(({ epoch, index }) => `${epoch}/${index}`)).toEqual(
      [...before.lines, ...after.lines].map(({ epoch, index }) => `${epoch}/${index}`),
    );
  });

  it('goes on where a restored log is shorter than what was read', async () => {
    await announce(database, 20, caller.tenantId);
    await sealer.seal();
    const { cursor } = await readAll();
    await database.admin('update audit.checkpoints set size = 10 where tenant_id = $1', [caller.tenantId]);
    expect((await feed({ after: cursor })).data).toEqual([]);
    await database.admin("insert into audit.epochs (tenant_id, epoch, entry) values ($1, 2, '{}')", [
      caller.tenantId,
    ]);
    await database.admin(
      `insert into audit.checkpoints (tenant_id, epoch, hour, size, root, note)
       values ($1, 2, date_trunc('hour', now()), 1, sha256(''), '')`,
      [caller.tenantId],
    );
    expect((await feed({ after: cursor })).data).toMatchObject([{ kind: 'epoch', epoch: 2 }]);
    // An epoch that ended before any checkpoint of it was stored, and the one behind it.
    await database.admin('update audit.epochs set epoch = 3 where tenant_id = $1 and epoch = 2', [
      caller.tenantId,
    ]);
    await database.admin('update audit.checkpoints set epoch = 3 where tenant_id = $1 and epoch = 2', [
      caller.tenantId,
    ]);
    await database.admin("insert into audit.epochs (tenant_id, epoch, entry) values ($1, 2, '{}')", [
      caller.tenantId,
    ]);
    expect((await feed({ after: cursor })).data).toMatchObject([{ kind: 'epoch', epoch: 3 }]);
  });

  it('says which events the retention has removed, and which are gone without a reason', async () => {
    await announce(database, 8, caller.tenantId);
    await sealer.seal();
    const { data } = await feed();
    const id = (index: number): string => data[index]!.event!.id;
    await database.admin('alter table events.log disable trigger all');
    await database.admin('delete from events.log where tenant_id = $1 and id = any($2)', [
      caller.tenantId,
      [1, 2, 4, 7].map(id),
    ]);
    await database.admin('alter table events.log enable trigger all');
    await database.admin('update audit.epochs set pruned_to = 6 where tenant_id = $1', [caller.tenantId]);
    const { lines } = await readAll();
    expect(lines.map(({ kind, index, count, eventId }) => [kind, index, count ?? eventId])).toEqual([
      ['epoch', '0', undefined],
      ['pruned', '1', 2],
      ['event', '3', undefined],
      ['pruned', '4', 1],
      ['event', '5', undefined],
      ['event', '6', undefined],
      ['missing', '7', id(7)],
      ['event', '8', undefined],
    ]);
    expect((await feed({ after: lines[1]!.cursor, limit: 1 })).data).toMatchObject([{ index: '3' }]);
  });

  it('ends a page that has grown large', async () => {
    const large = JSON.stringify({ note: 'x'.repeat(40_000) });
    await database.tenants(1).transaction(caller, async (tx) => {
      const ids = Array.from({ length: 200 }, () => newId());
      await tx.announce(
        ...ids.map((id) => ({
          id,
          type: 'probe.note.taken',
          schemaVersion: 1,
          streamType: 'probe.note',
          streamId: id,
          streamVersion: 1n,
          payload: large,
        })),
      );
    });
    await sealer.seal();
    const page = await feed({ limit: 1_000 });
    expect(page.data.length).toBeLessThan(201);
    expect(idsOf((await readAll(undefined, 1_000)).lines)).toHaveLength(200);
  });

  it('waits for what is sealed next, and answers when the process stops', async () => {
    await announce(database, 1, caller.tenantId);
    await sealer.seal();
    const { cursor } = await readAll();
    const waiting = feed({ after: cursor, wait: 30 });
    await announce(database, 2, caller.tenantId);
    await sealer.seal();
    const { data, nextCursor } = await waiting;
    expect(data).toHaveLength(2);
    const ended = feed({ after: nextCursor, wait: 30 });
    setTimeout(() => followers.onModuleDestroy(), 100);
    expect(await ended).toEqual({ data: [], nextCursor });
  });

  it('waits for no more than ten of a tenant, and not for a credential that has ended', async () => {
    const asked = Array.from({ length: 11 }, () => feed({ wait: 30 }));
    const first = await Promise.race(asked.map((each) => each.catch((error: unknown) => error)));
    expect(first).toMatchObject({ code: 'audit.too_many_followers' });
    followers.onModuleDestroy();
    const answers = await Promise.allSettled(asked);
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    restart();
    const revoked = feed({ wait: 30 }, caller, () => Promise.reject(new CursorInvalid()));
    await expect(revoked).rejects.toBeInstanceOf(CursorInvalid);
  });

  it('begins at the end where that is asked for, and shows a tenant nothing of another one', async () => {
    await announce(database, 3, caller.tenantId);
    await sealer.seal();
    const { data, nextCursor } = await feed({ from: 'now' });
    expect(data).toEqual([]);
    await announce(database, 1, caller.tenantId);
    await sealer.seal();
    expect((await feed({ after: nextCursor })).data).toHaveLength(1);
    const other = await database.caller();
    expect((await feed({}, other)).data).toEqual([]);
    await expect(feed({ after: nextCursor }, other)).rejects.toBeInstanceOf(CursorInvalid);
  });

  it('records who reads it, and nothing for those who are told of readings alone', async () => {
    const reader = await database.caller(caller.tenantId, 'operator:alice');
    await announce(database, 1, caller.tenantId);
    await sealer.seal();
    const readings = async (): Promise<number> => {
      const [row] = await database.admin<{ count: string }>(
        "select count(*) from events.log where tenant_id = $1 and type = 'audit.trail.read'",
        [caller.tenantId],
      );
      return Number(row!.count);
    };
    let { nextCursor } = await feed({}, reader);
    expect(await readings()).toBe(1);
    for (let read = 0; read < 3; read += 1) {
      restart();
      await sealer.seal();
      ({ nextCursor } = await feed({ after: nextCursor }, reader));
    }
    expect(await readings()).toBe(1);
  });

  it.each([
    { limit: 0 },
    { limit: 1_001 },
    { limit: '1e2' },
    { wait: 31 },
    { wait: -1 },
    { from: 'end' },
    { after: 'x'.repeat(1_001) },
    { since: 1 },
  ])('refuses %j', (input) => {
    expect(auditFeedInput.safeParse(input).success).toBe(false);
  });

  it.each(['forged', '', '\0'])('refuses the cursor %j', async (after) => {
    await expect(feed({ after })).rejects.toBeInstanceOf(CursorInvalid);
  });

  /** Gives what has no leaf one in the tree of another epoch, as the sealer does behind a restore. */
  async function sealIntoNextEpoch(): Promise<void> {
    await database.admin('insert into audit.epochs (tenant_id, epoch, entry) values ($1, 2, $2)', [
      caller.tenantId,
      '{"kind":"epoch"}',
    ]);
    await database.admin(
      `insert into audit.leaves (tenant_id, epoch, tile, event_ids, prints)
       select $1, 2, 0, s.ids, decode(repeat('00', 32 * cardinality(s.ids)), 'hex')
       from (
         select array['00000000-0000-0000-0000-000000000000'::uuid] || array_agg(e.id order by e.seq) as ids
         from events.log e
         where e.tenant_id = $1
           and e.id not in (select unnest(l.event_ids) from audit.leaves l where l.tenant_id = $1)
       ) s`,
      [caller.tenantId],
    );
    await database.admin(
      `insert into audit.checkpoints (tenant_id, epoch, hour, size, root, note)
       select tenant_id, epoch, date_trunc('hour', now()), cardinality(event_ids), sha256(''), ''
       from audit.leaves where tenant_id = $1 and epoch = 2`,
      [caller.tenantId],
    );
  }
});
