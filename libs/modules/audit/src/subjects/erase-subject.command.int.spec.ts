import { newId } from '@holdfast/kernel';
import { statement } from '@holdfast/database';
import { PersonalApp } from '../../test/personal-app';
import { PlaceLegalHold } from '../holds/place-legal-hold.command';
import { EraseSubject } from './erase-subject.command';
import { Subject } from './subject.query';

/** What the worker then does is in apps/worker/test/erase-subject.int.spec.ts, over all modules. */
describe('Ordering that a person is erased', () => {
  let app: PersonalApp;
  beforeAll(async () => void (app = await PersonalApp.start()));
  afterAll(() => app.close());

  it('leaves a task to the worker, announces it, and changes nothing the second time', async () => {
    const [caller, person] = [await app.database.caller(), newId()];
    await app.describe(caller, person, 'likes tea');
    await app.describe(caller, person, 'likes coffee', 2n);
    expect(await app.ask(new Subject(caller, { id: person }))).toMatchObject({
      status: 'kept',
      valueCount: 2,
      eventCount: 2,
      rowCount: 0,
      requestedAt: null,
    });
    const idempotency = { key: newId(), replayed: false };
    const ordered = await app.execute(new EraseSubject(caller, { id: person }, idempotency));
    expect(ordered).toMatchObject({ status: 'erasing', requestedBy: 'system:test', erasedAt: null });
    expect(await app.execute(new EraseSubject(caller, { id: person }))).toEqual(ordered);
    expect(await app.execute(new EraseSubject(caller, { id: person }, idempotency))).toEqual(ordered);
    const events = (await app.eventsOf(person)).filter(({ type }) => type.startsWith('audit.'));
    expect(events).toEqual([{ type: 'audit.subject.erasure_requested', data: { relatedIds: [] } }]);
    const tasks = await app.database.admin('select kind from tenants.tasks where id = $1', [person]);
    expect(tasks).toEqual([{ kind: 'subject-erasure' }]);
  });

  it('finds nobody in another tenant, nor whom nothing is held of', async () => {
    const [caller, person] = [await app.database.caller(), newId()];
    await app.describe(caller, person, 'likes tea');
    const other = await app.database.caller();
    for (const command of [
      new EraseSubject(other, { id: person }),
      new EraseSubject(caller, { id: newId() }),
    ])
      await expect(app.execute(command)).rejects.toMatchObject({ code: 'resource.not_found' });
    await expect(app.ask(new Subject(other, { id: person }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });

  it('waits for a hold that is being placed, and is refused by it', async () => {
    const [caller, person] = [await app.database.caller(), newId()];
    await app.describe(caller, person, 'likes tea');
    const both = await Promise.allSettled([
      app.execute(new PlaceLegalHold(caller, { subjectId: person, reason: 'a case' })),
      app.execute(new EraseSubject(caller, { id: person })),
    ]);
    // Whichever came second was refused: never are both true.
    expect(both.map(({ status }) => status).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      'fulfilled',
      'rejected',
    ]);
  });

  // Whatever text is run as the application, as an attacker would have it run.
  it.each(['delete from audit.disclosures', 'update audit.subject_keys set wrapped = null'])(
    'is the only way by which values go, and none under a hold: %s',
    async (text) => {
      const [caller, person] = [await app.database.caller(), newId()];
      const id = await app.describe(caller, person, 'likes tea');
      const attempt = (): Promise<number> =>
        app.tenants.transaction(caller, (tx) => tx.execute(statement(`test.${newId()}`, text)));
      await expect(attempt()).rejects.toMatchObject({ code: 'HF032' });
      await app.execute(new EraseSubject(caller, { id: person }));
      await app.database.admin(
        `insert into audit.legal_holds (tenant_id, id, reason, placed_by) values ($1, $2, 'a case', 'system:test')`,
        [caller.tenantId, newId()],
      );
      await expect(attempt()).rejects.toMatchObject({ code: 'HF032' });
      expect(
        await app.database.admin('select from audit.disclosures where event_id = $1', [id]),
      ).toHaveLength(1);
      await app.database.admin(
        'update audit.legal_holds set lifted_at = now(), lifted_by = $2 where tenant_id = $1',
        [caller.tenantId, 'system:test'],
      );
      expect(await attempt()).toBe(1);
    },
  );

  it.each([
    String.raw`update audit.subject_keys set wrapped = '\x00'`,
    'update audit.subject_keys set key_id = gen_random_uuid()',
    'update audit.vaults set key_id = gen_random_uuid()',
  ])('is the only time at which keys change: %s', async (text) => {
    const [caller, person] = [await app.database.caller(), newId()];
    await app.describe(caller, person, 'likes tea');
    const attempt = app.tenants.transaction(caller, (tx) => tx.execute(statement(`test.${newId()}`, text)));
    await expect(attempt).rejects.toMatchObject({ code: 'HF032' });
  });

  it('needs personal:write', async () => {
    const caller = await app.callerWith(['personal:read', 'audit:write', 'members:write']);
    await expect(app.execute(new EraseSubject(caller, { id: newId() }))).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
  });
});
