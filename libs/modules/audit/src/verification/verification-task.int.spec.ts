import { TaskRunner } from '@holdfast/tasks';
import { Grants } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { HandSealer } from '../../test/hand-sealer';
import { TamperedLog } from '../../test/tampered-log';
import { LogControls } from './log-controls';
import { VerificationTask } from './verification-task';

describe('The daily verification of audit logs', () => {
  let database: TestDatabase;
  let sealer: HandSealer;
  let grants: Grants;
  const reports: string[] = [];
  const report = (error: unknown): void => void reports.push(String(error));

  beforeAll(async () => {
    database = await TestDatabase.create();
    sealer = new HandSealer(database);
    grants = new Grants(database.as('holdfast_auth', 2));
  });
  afterAll(async () => {
    grants.close();
    await database.drop();
  });

  async function verifyAll(): Promise<void> {
    const shared = { grants, report, tenants: database.tenants(4), relay: database.as('holdfast_relay', 2) };
    await new LogControls(shared).look();
    await database.admin("update tenants.tasks set due_at = '-infinity' where kind = 'audit-verification'");
    const tasks = new TaskRunner({ ...shared, kinds: [new VerificationTask(report)] });
    while ((await tasks.runDue()) > 0);
  }
  const broken = (log: TamperedLog): Promise<{ data: object }[]> =>
    database.admin(
      "select data from events.log where tenant_id = $1 and type = 'audit.log.broken' order by seq",
      [log.tenantId],
    );

  it('finds nothing in a sound log, announces a finding once, and again when it comes back', async () => {
    const log = await TamperedLog.create(database, sealer);
    await database.admin('insert into events.heads (tenant_id, tick) values ($1, 1) on conflict do nothing', [
      log.tenantId,
    ]);
    await verifyAll();
    expect([await broken(log), reports]).toEqual([[], []]);

    const edit = (coats: number): Promise<void> =>
      log.tamper(`update events.log set data = '{"coats": ${coats}}' where tenant_id = $1 and id = $2`, 137);
    await edit(2);
    await verifyAll();
    await verifyAll();
    const found = { kind: 'changed', epoch: 1, leaf: 137, eventId: log.eventAt(137) };
    expect(await broken(log)).toMatchObject([{ data: found }]);
    expect(reports).toEqual([expect.stringContaining(`tenant ${log.tenantId}, epoch 1, leaf 137`)]);

    await edit(1);
    await verifyAll();
    expect(await database.admin('select id from audit.breaks where tenant_id = $1', [log.tenantId])).toEqual(
      [],
    );
    await edit(2);
    await verifyAll();
    expect(await broken(log)).toHaveLength(2);
  });
});
