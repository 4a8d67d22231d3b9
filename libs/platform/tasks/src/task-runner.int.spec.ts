import { type Deadline, JOB_TRANSACTION_MS, newId } from '@holdfast/kernel';
import { callerOf, Grants, type TenantTx } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import { type TaskKindOfWork, TaskRunner } from './task-runner';
import { insertTask } from './tasks.sql';

describe('A step of a task', () => {
  let database: TestDatabase;
  let grants: Grants;
  beforeAll(async () => {
    database = await TestDatabase.create();
    grants = new Grants(database.as('holdfast_auth', 1));
  });
  afterAll(async () => {
    grants.close();
    await database.drop();
  });

  // Row "a step of a task" of the table of deadlines: what a step calls outside gets the same, by its transaction's caller.
  it('has in each of its transactions a deadline of its own, before PostgreSQL ends the transaction', async () => {
    const [tenantId, id] = [newId(), newId()];
    const tenants = database.tenants(2);
    const caller = callerOf(await grants.forSystem('test', tenantId), { requestId: newId() });
    await tenants.transaction(caller, (tx) => insertTask(tx, 'export', id));
    const deadlines: (Deadline | undefined)[] = [];
    const note = (tx: TenantTx): void => void deadlines.push(tx.caller.deadline);
    const kind: TaskKindOfWork<never> = {
      ...{ kind: 'export', consumer: 'test', attemptsMax: 1 },
      step: async (run) => {
        await run.read((tx) => Promise.resolve(note(tx)));
        await run.commit((tx) => Promise.reject(new Error(`fails, behind ${String(note(tx))}`)));
      },
      abandon: (tx) => Promise.resolve(note(tx)),
    };
    const relay = database.as('holdfast_relay', 1);
    const reports: string[] = [];
    const report = (error: unknown): void => void reports.push(String(error));
    expect(await new TaskRunner({ tenants, relay, grants, kinds: [kind], report }).runDue()).toBe(1);
    expect(reports).toEqual(['Error: fails, behind undefined']);
    expect(new Set(deadlines).size).toBe(3);
    for (const deadline of deadlines) {
      expect(deadline?.leftMs).toBeGreaterThan(0);
      expect(deadline?.leftMs).toBeLessThanOrEqual(JOB_TRANSACTION_MS);
    }
  });
});
