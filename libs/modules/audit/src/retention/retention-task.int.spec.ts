import { type Caller, newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { bumpEpoch } from '@holdfast/events';
import { formatVerifierKey, type LogPolicy, verifyProofFile } from '@holdfast/tlog';
import { TaskRunner } from '@holdfast/tasks';
import { type Announcement, callerOf, Grants } from '@holdfast/tenancy';
import { entryIn } from '../../test/audit-app';
import { runVerifier, type Verdict, writeBundle } from '../../test/bundle-check';
import { PersonalApp } from '../../test/personal-app';
import { TestSealer } from '../../test/test-sealer';
import { foldTenant } from '../fold/fold-tenant';
import { AuditHistory } from '../history/audit-history.query';
import { LiftLegalHold } from '../holds/lift-legal-hold.command';
import { PlaceLegalHold } from '../holds/place-legal-hold.command';
import { proveEventByHand } from '../log/log-by-hand.query';
import { treeVerifierKey } from '../sealing/log-keys';
import { AuditState } from '../state/audit-state.query';
import { verifyLog } from '../verification/verify-by-hand';
import { AuditRetention } from './audit-retention.query';
import { ChangeAuditRetention } from './change-audit-retention.command';
import { RetentionTask } from './retention-task';

/** Events of a stream of `fences`, and leaves 1 to 600 of each tenant's log. */
const STREAM = 200;
const FENCES = 3;

const painted = (stream: string, version: number): Announcement => ({
  ...{ id: newId(), type: 'test.fence.painted', schemaVersion: 1, streamType: 'test.fence' },
  ...{ streamId: stream, streamVersion: BigInt(version), payload: '{"coats": 1}' },
});

describe('The retention of the audit log', () => {
  let app: PersonalApp;
  let sealer: TestSealer;
  let grants: Grants;
  const reports: string[] = [];

  beforeAll(async () => {
    app = await PersonalApp.start();
    sealer = await TestSealer.create(app.database);
    grants = new Grants(app.database.as('holdfast_auth', 2));
  });
  afterAll(async () => {
    grants.close();
    await sealer.close();
    await app.close();
  });
  beforeEach(() => void reports.splice(0));

  const announce = (caller: Caller, stream: string, count: number, from = 1): Promise<void> =>
    app.tenants.transaction(caller, (tx) =>
      tx.announce(...Array.from({ length: count }, (_, at) => painted(stream, from + at))),
    );
  /** Events of as many streams. */
  const announceApart = (caller: Caller, count: number): Promise<void> =>
    app.tenants.transaction(caller, (tx) =>
      tx.announce(...Array.from({ length: count }, () => painted(newId(), 1))),
    );
  const age = (caller: Caller): Promise<unknown> =>
    app.database.admin(
      // Not what was aged before: it may be sealed by that.
      "update events.log set occurred_at = now() - interval '60 days' where tenant_id = $1 and occurred_at > now() - interval '50 days'",
      [caller.tenantId],
    );
  const keep = (caller: Caller, keepDays: number | null): Promise<unknown> =>
    app.execute(new ChangeAuditRetention(caller, { keepDays }));

  /** A sealed log of old events: three fences with 200 versions each, whose tenant keeps events for 30 days. */
  async function oldLog(): Promise<{ caller: Caller; streams: string[] }> {
    const caller = await app.database.caller();
    const streams = Array.from({ length: FENCES }, () => newId());
    for (const stream of streams) await announce(caller, stream, STREAM);
    await age(caller);
    await sealer.seal();
    await keep(caller, 30);
    return { caller, streams };
  }

  const runner = (onStep?: (step: string) => Promise<void>): TaskRunner =>
    new TaskRunner({
      ...{ tenants: app.tenants, relay: app.database.as('holdfast_relay', 2), grants },
      report: (error) => void reports.push(String(error)),
      kinds: [new RetentionTask(onStep && { onStep })],
    });
  /** What workers do in a day and more. */
  async function work(onStep?: (step: string) => Promise<void>): Promise<void> {
    const tasks = runner(onStep);
    for (let rounds = 0; rounds < 4; rounds += 1) {
      await sealer.seal();
      await app.database.admin(
        "update tenants.tasks set due_at = '-infinity', lease_until = null where kind = 'audit-retention'",
      );
      while ((await tasks.runDue()) > 0);
    }
  }
  const leftOf = async (stream: string): Promise<number[]> =>
    (
      await app.database.admin<{ version: number }>(
        'select stream_version::int as version from events.log where stream_id = $1 order by 1',
        [stream],
      )
    ).map(({ version }) => version);
  const keyOf = ({ tenantId }: Caller, epoch = 1): string =>
    formatVerifierKey(treeVerifierKey(sealer.logName, { tenantId, epoch }, sealer.publicKey));
  async function verdictOf(caller: Caller): Promise<Verdict> {
    const bundle = await writeBundle(app.tenants, caller, { log: sealer.logName });
    return runVerifier({ 'log.ndjson': bundle }, ['log.ndjson', '--key', keyOf(caller)]);
  }

  // Counted before the tenant came, of whom the planner would then expect one row.
  it('is no slower where the table has been analyzed before the tenant came', async () => {
    await oldLog();
    await app.database.admin('analyze events.log');
    const { caller, streams } = await oldLog();
    for (let transactions = 0; transactions < 10; transactions += 1) await announceApart(caller, 400);
    await age(caller);
    await work();
    for (const stream of streams)
      expect({ left: await leftOf(stream), reports }).toEqual({ left: [STREAM], reports: [] });
  });

  it('removes old events but the last of each stream, and both verifiers say that all holds', async () => {
    const { caller, streams } = await oldLog();
    await work();
    expect(reports).toEqual([]);
    for (const stream of streams) expect(await leftOf(stream)).toEqual([STREAM]);
    expect((await verifyLog(app.tenants, caller)).findings).toEqual([]);
    expect(await verdictOf(caller)).toMatchObject({
      ...{ status: 0, findings: [] },
      pruned: [
        { epoch: 1, from: 1, to: 199 },
        { epoch: 1, from: 201, to: 399 },
        { epoch: 1, from: 401, to: 599 },
      ],
    });
    const said = await app.database.admin(
      "select actor, data from events.log where tenant_id = $1 and type = 'audit.log.pruned'",
      [caller.tenantId],
    );
    const { tenantId } = caller;
    expect(said).toMatchObject([{ actor: 'system:pruner', data: { tenantId, epoch: 1, prunedTo: '601' } }]);
  });

  it('leaves proofs: older ones that somebody kept, those of what stayed, and of what comes', async () => {
    const { caller, streams } = await oldLog();
    const idOf = async (version: number): Promise<string> =>
      (
        await app.database.admin<{ id: string }>(
          'select id from events.log where stream_id = $1 and stream_version = $2',
          [streams[0], version],
        )
      )[0]?.id ?? '';
    const removed = await idOf(7);
    const older = (await proveEventByHand(app.tenants, caller, removed)).file;
    await work();
    expect(await leftOf(streams[0] ?? '')).toEqual([STREAM]);
    await announce(caller, streams[0] ?? '', 1, STREAM + 1);
    await sealer.seal();
    const logKeys = [
      treeVerifierKey(sealer.logName, { tenantId: caller.tenantId, epoch: 1 }, sealer.publicKey),
    ];
    const policy: LogPolicy = { origin: logKeys[0]?.name ?? '', logKeys };
    const stayed = (await proveEventByHand(app.tenants, caller, await idOf(STREAM))).file;
    const later = (await proveEventByHand(app.tenants, caller, await idOf(STREAM + 1))).file;
    for (const file of [older, stayed, later])
      expect(() => verifyProofFile(file, { entry: entryIn(file) }, policy)).not.toThrow();
    await expect(proveEventByHand(app.tenants, caller, removed)).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });

  it('lets what was pruned be changed, and says of it that it was pruned', async () => {
    const [caller, person] = [await app.database.caller(), newId()];
    for (const version of [1n, 2n, 3n]) await app.describe(caller, person, 'likes tea', version);
    const hold = await app.execute(new PlaceLegalHold(caller, { subjectId: person, reason: 'a case' }));
    await app.execute(new LiftLegalHold(caller, { id: hold.id }));
    await keep(caller, 40);
    await keep(caller, 50);
    await age(caller);
    await keep(caller, 30);
    await work();
    expect([await leftOf(person), await leftOf(hold.id), await leftOf(caller.tenantId)]).toEqual([
      [3],
      [2],
      [3],
    ]);
    const values = await app.database.admin('select from audit.disclosures where tenant_id = $1', [
      caller.tenantId,
    ]);
    expect(values).toHaveLength(1);
    await app.describe(caller, person, 'likes coffee', 4n);
    await keep(caller, 60);
    expect(await app.ask(new AuditRetention(caller, {}))).toEqual({ keepDays: 60 });
    const stream = `audit.legal_hold/${hold.id}`;
    for (const at of [undefined, '2020-01-01T00:00:00Z'])
      await expect(app.ask(new AuditState(caller, { stream, ...(at && { at }) }))).rejects.toMatchObject({
        code: 'audit.state_pruned',
      });
    const { data } = await app.ask(new AuditHistory(caller, { stream, limit: 10 }));
    expect(data).toMatchObject([{ version: '2', isPruned: true, changes: [] }]);
    expect(await foldTenant(app.tenants, caller)).toMatchObject({ differenceCount: 0, prunedStreams: 2 });
  });

  it('goes on where a stream went on: nothing of it stays in between', async () => {
    const { caller, streams } = await oldLog();
    await work();
    await announce(caller, streams[0] ?? '', 2, STREAM + 1);
    await age(caller);
    // Aged behind its sealing: only what verifies it would see that.
    await announce(caller, streams[0] ?? '', 1, STREAM + 3);
    await work();
    expect(await leftOf(streams[0] ?? '')).toEqual([STREAM + 3]);
  });

  it('waits while a legal hold keeps anybody, and goes on behind it', async () => {
    const { caller, streams } = await oldLog();
    const hold = await app.execute(new PlaceLegalHold(caller, { reason: 'a case' }));
    await work();
    expect(await leftOf(streams[0] ?? '')).toHaveLength(STREAM);
    await app.execute(new LiftLegalHold(caller, { id: hold.id }));
    // Announced, and a hold that comes then.
    const late = await haltedAt('prune', 1, caller);
    const second = await app.execute(new PlaceLegalHold(caller, { reason: 'another case' }));
    await work();
    expect([late, await leftOf(streams[0] ?? '')]).toMatchObject([true, { length: STREAM }]);
    await app.execute(new LiftLegalHold(caller, { id: second.id }));
    await work();
    expect(await leftOf(streams[0] ?? '')).toEqual([STREAM]);
  });

  /** Works until the step comes for the `nth` time, and dies there; answers whether it did. */
  async function haltedAt(step: string, nth: number, caller: Caller): Promise<boolean> {
    await app.database.admin('delete from tenants.tasks where tenant_id <> $1', [caller.tenantId]);
    let seen = 0;
    await work((each) => {
      seen += each === step ? 1 : 0;
      return seen >= nth ? Promise.reject(new Error('killed')) : Promise.resolve();
    });
    const [task] = await app.database.admin<{ last_error: string | null }>(
      "select last_error from tenants.tasks where tenant_id = $1 and kind = 'audit-retention'",
      [caller.tenantId],
    );
    return task?.last_error === 'Error' && seen >= nth;
  }

  it.each([
    ['announce', 1],
    ['seal', 1],
    ['prune', 1],
    ['prune', 2],
    ['announce', 2],
  ])('is gone on with by the next worker where one dies before it comes to %s %s', async (step, nth) => {
    const { caller, streams } = await oldLog();
    expect(await haltedAt(step, nth, caller)).toBe(true);
    expect(await verdictOf(caller)).toMatchObject({ status: 0, findings: [] });
    reports.splice(0);
    await work();
    for (const stream of streams)
      expect({ left: await leftOf(stream), reports }).toMatchObject({ left: [STREAM] });
    const said = await app.database.admin(
      "select from events.log where tenant_id = $1 and type = 'audit.log.pruned'",
      [caller.tenantId],
    );
    expect(said).toHaveLength(1);
    expect(await verdictOf(caller)).toMatchObject({ status: 0, findings: [] });
    expect((await verifyLog(app.tenants, caller)).findings).toEqual([]);
  });

  it('removes nothing that a consumer has not read', async () => {
    const { caller, streams } = await oldLog();
    const later = newId();
    await announce(caller, later, 2);
    await age(caller);
    const [{ tick } = { tick: '0' }] = await app.database.admin<{ tick: string }>(
      'select max(id)::text as tick from events.ticks',
    );
    await app.database.admin(
      "insert into events.groups (name, kind, replay, from_tick) values ('slow', 'tenant', 'idempotent', $1), ('store', 'store', 'idempotent', $1)",
      [tick],
    );
    try {
      await sealer.seal();
      await work();
      expect([await leftOf(streams[0] ?? ''), await leftOf(later)]).toEqual([[STREAM], [1, 2]]);
      await app.database.admin(
        `insert into events.tenant_cursors (tenant_id, group_name, from_tick)
         select $1, 'slow', max(id) from events.ticks`,
        [caller.tenantId],
      );
      await work();
      expect(await leftOf(later)).toEqual([1, 2]);
      await app.database.admin(
        "insert into events.store_cursors (group_name, from_tick) select 'store', max(id) from events.ticks",
      );
      await work();
      expect(await leftOf(later)).toEqual([2]);
    } finally {
      for (const table of ['tenant_cursors', 'store_cursors'])
        await app.database.admin(`delete from events.${table} where group_name in ('slow', 'store')`);
      await app.database.admin("delete from events.groups where name in ('slow', 'store')");
    }
  });

  it('is the only way by which events go, whatever text is run', async () => {
    const { caller, streams } = await oldLog();
    const pruner = callerOf(await grants.forSystem('pruner', caller.tenantId), { requestId: newId() });
    const call = (by: Caller, id: string): Promise<unknown> =>
      app.tenants.transaction(by, (tx) =>
        tx.execute(statement(`test.${newId()}`, 'select tenancy.prune_log($1, 1, 10)'), [id]),
      );
    await expect(call(caller, newId())).rejects.toMatchObject({ code: 'HF033' });
    await expect(call(pruner, newId())).rejects.toMatchObject({ code: 'HF033' });
    const event = {
      ...{ id: newId(), type: 'audit.log.pruned', schemaVersion: 1, streamType: 'audit.log' },
      ...{ streamId: newId(), streamVersion: 1n, payload: '{"epoch": 1, "prunedTo": "601"}' },
    };
    await app.tenants.transaction(pruner, (tx) => tx.announce(event));
    // Not sealed yet.
    await expect(call(pruner, event.id)).rejects.toMatchObject({ code: 'HF033' });
    await sealer.seal();
    await expect(call(caller, event.id)).rejects.toMatchObject({ code: 'HF033' });
    const remove = statement(`test.${newId()}`, 'delete from events.log where tenant_id = $1');
    await expect(
      app.tenants.transaction(pruner, (tx) => tx.execute(remove, [caller.tenantId])),
    ).rejects.toMatchObject({ code: '42501' });
    expect(await leftOf(streams[0] ?? '')).toHaveLength(STREAM);
    await call(pruner, event.id);
    expect(await leftOf(streams[0] ?? '')).toHaveLength(STREAM - 10);
  });

  // As tenancy.import_page does it: ids and versions stay, and what was pruned is not there.
  it('leaves a log that verifies where an import has brought it to', async () => {
    const { caller, streams } = await oldLog();
    await work();
    const into = await app.database.caller();
    await app.database.admin(
      `insert into events.log (xid, tenant_id, id, stream_type, stream_id, stream_version, type, schema_version, actor, act,
         correlation_id, causation_id, traceparent, occurred_at, data)
       select pg_current_xact_id(), $2, id, stream_type, stream_id, stream_version, type, schema_version, actor, act,
         correlation_id, causation_id, traceparent, occurred_at, data
       from events.log where tenant_id = $1 order by seq`,
      [caller.tenantId, into.tenantId],
    );
    await announce(into, streams[0] ?? '', 2, STREAM + 1);
    await sealer.seal();
    expect((await verifyLog(app.tenants, into)).findings).toEqual([]);
    expect(await verdictOf(into)).toMatchObject({ status: 0, findings: [], pruned: [] });
    // What was said of the other log excuses nothing in this one.
    await app.database.admin(
      'set session_replication_role = replica; ' +
        `delete from events.log where tenant_id = '${into.tenantId}' and stream_version = ${STREAM + 1}`,
    );
    const kinds = ['gap', 'missing'];
    expect((await verifyLog(app.tenants, into)).findings.map(({ kind }) => kind).toSorted()).toEqual(kinds);
    expect((await verdictOf(into)).findings.map(({ kind }) => kind).toSorted()).toEqual(kinds);
  });

  // The last here: each tenant of the database begins another epoch.
  it('goes through older epochs first, and both verifiers say that all holds', async () => {
    const { caller, streams } = await oldLog();
    await bumpEpoch(app.database.as('holdfast_ops', 1), 'tester', 'to have two epochs');
    await announce(caller, streams[0] ?? '', 2, STREAM + 1);
    await age(caller);
    await sealer.seal();
    await announce(caller, streams[0] ?? '', 1, STREAM + 3);
    await work();
    expect(await leftOf(streams[0] ?? '')).toEqual([STREAM + 3]);
    expect(await leftOf(streams[1] ?? '')).toEqual([STREAM]);
    const said = await app.database.admin<{ data: { epoch: number } }>(
      "select data from events.log where tenant_id = $1 and type = 'audit.log.pruned' order by seq",
      [caller.tenantId],
    );
    expect(said.map(({ data }) => data.epoch)).toEqual([1, 2]);
    expect(await verifyLog(app.tenants, caller)).toMatchObject({ findings: [] });
    const bundle = await writeBundle(app.tenants, caller, { log: sealer.logName });
    const keys = [1, 2].flatMap((epoch) => ['--key', keyOf(caller, epoch)]);
    const verdict = runVerifier({ 'log.ndjson': bundle }, ['log.ndjson', ...keys]);
    expect(verdict).toMatchObject({ status: 0, findings: [] });
    expect(new Set(verdict.pruned.map(({ epoch }) => epoch))).toEqual(new Set([1, 2]));
  });
});
