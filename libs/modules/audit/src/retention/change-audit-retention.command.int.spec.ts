import { newId } from '@holdfast/kernel';
import { PersonalApp } from '../../test/personal-app';
import { AuditRetention } from './audit-retention.query';
import { ChangeAuditRetention } from './change-audit-retention.command';
import { changeAuditRetentionInput } from './retention-view';

/** What the worker then does is in retention-task.int.spec.ts. */
describe('Saying how long events are kept', () => {
  let app: PersonalApp;
  beforeAll(async () => void (app = await PersonalApp.start()));
  afterAll(() => app.close());

  it('announces a change, and no other', async () => {
    const [caller, other] = [await app.database.caller(), await app.database.caller()];
    expect(await app.ask(new AuditRetention(caller, {}))).toEqual({ keepDays: null });
    for (const keepDays of [90, 90, null]) await app.execute(new ChangeAuditRetention(caller, { keepDays }));
    expect((await app.eventsOf(caller.tenantId)).map(({ data }) => data)).toEqual([
      { keepDays: 90 },
      { keepDays: null },
    ]);
    const idempotency = { key: newId(), replayed: false };
    for (let times = 0; times < 2; times += 1)
      await app.execute(new ChangeAuditRetention(caller, { keepDays: 45 }, idempotency));
    expect(await app.ask(new AuditRetention(caller, {}))).toEqual({ keepDays: 45 });
    expect(await app.ask(new AuditRetention(other, {}))).toEqual({ keepDays: null });
    const tasks = await app.database.admin('select tenant_id, kind from tenants.tasks');
    expect(tasks).toEqual([{ tenant_id: caller.tenantId, kind: 'audit-retention' }]);
  });

  it('takes 30 days at least, and needs audit:write', async () => {
    expect(
      [29, 30.5, 36_501].map((keepDays) => changeAuditRetentionInput.safeParse({ keepDays }).success),
    ).toEqual([false, false, false]);
    const reader = await app.callerWith(['audit:read']);
    const change = app.execute(new ChangeAuditRetention(reader, { keepDays: 30 }));
    await expect(change).rejects.toMatchObject({ code: 'auth.forbidden' });
  });
});
