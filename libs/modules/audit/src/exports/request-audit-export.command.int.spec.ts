import { createHash } from 'node:crypto';
import { type Caller, newId, NotFound, PLANS } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { TaskRunner } from '@holdfast/tasks';
import { Grants, QuotaExceeded, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { runVerifier } from '../../test/bundle-check';
import { TamperedLog } from '../../test/tampered-log';
import { HandSealer } from '../../test/hand-sealer';
import { AuditModule } from '../audit.module';
import { type AuditExportContent, AuditExportFile } from './audit-export-file.query';
import { AuditExportTask } from './audit-export-task';
import type { AuditExportInput, AuditExportView } from './audit-export-view';
import { AuditExportExpired, AuditExportNotReady, BundleNotFiltered } from './audit-exports.errors';
import { AuditExportById } from './audit-exports.query';
import { RequestAuditExport } from './request-audit-export.command';

describe('An export of the audit trail', () => {
  let database: TestDatabase;
  let tenants: TenantDatabase;
  let sealer: HandSealer;
  let grants: Grants;
  let app: INestApplicationContext;
  const failures: string[] = [];

  beforeAll(async () => {
    database = await TestDatabase.create();
    tenants = database.tenants(4);
    sealer = new HandSealer(database);
    grants = new Grants(database.as('holdfast_auth', 2));
    const imports = [MessagesModule.forRoot(tenants), AuditModule];
    app = await (await Test.createTestingModule({ imports }).compile()).init();
  });
  afterEach(() => {
    if (failures.length > 0) throw new Error(failures.splice(0).join('\n'));
  });
  afterAll(async () => {
    grants.close();
    await app.close();
    await database.drop();
  });

  const runner = (): TaskRunner =>
    new TaskRunner({
      ...{ tenants, grants, relay: database.as('holdfast_relay', 1) },
      kinds: [new AuditExportTask({ log: sealer.logName })],
      report: (error) => void failures.push(String(error)),
    });
  async function work(): Promise<void> {
    const tasks = runner();
    while ((await tasks.runDue()) > 0);
  }
  const request = (caller: Caller, input: AuditExportInput): Promise<AuditExportView> =>
    app.get(CommandBus).execute(new RequestAuditExport(caller, input));
  const show = (caller: Caller, id: string): Promise<AuditExportView> =>
    app.get(QueryBus).execute(new AuditExportById(caller, { id }));
  const open = (caller: Caller, id: string): Promise<AuditExportContent> =>
    app.get(QueryBus).execute(new AuditExportFile(caller, { id }, () => Promise.resolve(caller)));
  async function read(content: AuditExportContent, from = 0, to = content.bytes): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of content.plain(from, to)) parts.push(part);
    return Buffer.concat(parts);
  }
  async function exported(caller: Caller, input: AuditExportInput): Promise<Buffer> {
    const { id } = await request(caller, input);
    await work();
    return read(await open(caller, id));
  }
  const create = (count: number): Promise<TamperedLog> => TamperedLog.create(database, sealer, count);

  it('holds every event once, in the order of the log, as the trail shows them', async () => {
    const { caller, eventIds } = await create(1_100);
    const lines = (await exported(caller, { format: 'ndjson' })).toString().split('\n');
    expect(lines.pop()).toBe('');
    const events = lines.map((line) => JSON.parse(line) as { id: string; type: string; data: unknown });
    // The last is the request for this very export.
    expect(events.map(({ id }) => id).slice(0, -1)).toEqual(eventIds);
    expect(events[0]).toMatchObject({ type: 'test.fence.painted', data: { coats: 1 }, actor: 'system:test' });
    expect(events.at(-1)).toMatchObject({ type: 'audit.export.requested', data: { format: 'ndjson' } });
  });

  it('leaves out what the filters do, over any number of pages', async () => {
    const { caller, database: admin, tenantId, eventIds } = await create(2_100);
    const wanted = [eventIds[3], eventIds[2_050]];
    await admin.admin("update events.log set actor = 'key:eve' where tenant_id = $1 and id = any ($2)", [
      tenantId,
      wanted,
    ]);
    const csv = (await exported(caller, { format: 'csv', actor: 'key:eve' })).toString();
    const lines = csv.trimEnd().split('\r\n');
    expect(lines.map((line) => line.split(',')[0])).toEqual(['"id"', ...wanted.map((id) => `"${id}"`)]);
    expect((await exported(caller, { format: 'ndjson', type: 'none' })).toString()).toBe('');
    await expect(request(caller, { format: 'bundle', type: 'none' })).rejects.toThrow(BundleNotFiltered);
  });

  it('of the sealed log is a bundle that the verifier takes', async () => {
    const log = await create(700);
    const bundle = await exported(log.caller, { format: 'bundle' });
    const key = ['--key', sealer.verifierKey(log.tenantId)];
    expect(runVerifier({ 'log.ndjson': bundle }, ['log.ndjson', ...key])).toMatchObject({
      ...{ status: 0, findings: [], events: 700, unsealed: 1 },
    });
  });

  it('can be gone on with at any byte, and shows how far it is and what it is', async () => {
    const { caller } = await create(1_200);
    const { id } = await request(caller, { format: 'bundle' });
    expect(await show(caller, id)).toMatchObject({ status: 'queued', rowsDone: '0', rowsTotal: null });
    await expect(open(caller, id)).rejects.toThrow(AuditExportNotReady);
    await work();
    const content = await open(caller, id);
    const whole = await read(content);
    for (const at of [0, 1, 70_000, whole.length - 1]) {
      expect((await read(content, at)).equals(whole.subarray(at))).toBe(true);
      expect((await read(content, at, at + 5)).equals(whole.subarray(at, at + 5))).toBe(true);
    }
    const sha256 = createHash('sha256').update(whole).digest('hex');
    expect(await show(caller, id)).toMatchObject({
      ...{ status: 'completed', sha256, bytes: String(whole.length), rowsDone: '1201', rowsTotal: '1201' },
    });
  });

  it('goes on where a worker was killed, and nothing of it is there twice', async () => {
    const { caller } = await create(1_500);
    const { id } = await request(caller, { format: 'ndjson' });
    const killed = new AuditExportTask({ log: sealer.logName });
    let steps = 0;
    const dying = new TaskRunner({
      ...{ tenants, grants, relay: database.as('holdfast_relay', 1), report: () => {} },
      kinds: [
        {
          ...{ kind: killed.kind, consumer: killed.consumer },
          step: async (run: Parameters<AuditExportTask['step']>[0]) => {
            steps += 1;
            if (steps === 3) throw new Error('killed');
            await killed.step(run);
          },
        },
      ],
    });
    await dying.runDue();
    expect(steps).toBe(3);
    await database.admin("update tenants.tasks set due_at = now() - interval '1 second' where id = $1", [id]);
    await work();
    const lines = (await read(await open(caller, id))).toString().trimEnd().split('\n');
    expect(lines).toHaveLength(1_501);
    expect(new Set(lines).size).toBe(1_501);
  });

  it('is announced from its request to its end, when it is removed', async () => {
    const { caller, tenantId } = await create(5);
    const { id } = await request(caller, { format: 'csv' });
    await work();
    await database.admin("update tenants.tasks set due_at = now() - interval '1 second' where id = $1", [id]);
    await work();
    await expect(open(caller, id)).rejects.toThrow(AuditExportExpired);
    const chunks = await database.admin('select from audit.export_chunks where export_id = $1', [id]);
    const events = await database.admin<{ type: string }>(
      'select type from events.log where tenant_id = $1 and stream_id = $2 order by stream_version',
      [tenantId, id],
    );
    expect([chunks.length, ...events.map(({ type }) => type)]).toEqual([
      ...[0, 'audit.export.requested', 'audit.export.completed', 'audit.export.expired'],
    ]);
  });

  it('is nobody else’s, and counts against the plan', async () => {
    const { caller } = await create(1);
    const { id } = await request(caller, { format: 'csv' });
    const stranger = await database.caller();
    await expect(show(stranger, id)).rejects.toThrow(NotFound);
    await expect(open(stranger, id)).rejects.toThrow(NotFound);
    await expect(open(caller, newId())).rejects.toThrow(NotFound);
    await work();
  });

  it('is refused beyond the quota of a day', async () => {
    const caller = { ...(await database.caller()), plan: 'free' };
    for (let n = 0; n < PLANS.free.quotas.exportsPerDay; n += 1) await request(caller, { format: 'csv' });
    await expect(request(caller, { format: 'csv' })).rejects.toThrow(QuotaExceeded);
    await work();
  });
});
