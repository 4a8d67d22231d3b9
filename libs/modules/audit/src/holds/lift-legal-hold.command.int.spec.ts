import { PersonalApp } from '../../test/personal-app';
import { LegalHoldById } from './legal-holds.query';
import { LiftLegalHold } from './lift-legal-hold.command';
import { PlaceLegalHold } from './place-legal-hold.command';

describe('Lifting a legal hold', () => {
  let app: PersonalApp;
  beforeAll(async () => void (app = await PersonalApp.start()));
  afterAll(() => app.close());

  it('is announced, once, and leaves the hold to be looked up', async () => {
    const caller = await app.database.caller();
    const { id } = await app.execute(new PlaceLegalHold(caller, { reason: 'a case' }));
    const lifted = await app.execute(new LiftLegalHold(caller, { id }));
    expect(lifted).toMatchObject({ liftedBy: 'system:test', liftedAt: expect.any(String), reason: 'a case' });
    expect(await app.ask(new LegalHoldById(caller, { id }))).toEqual(lifted);
    await expect(app.execute(new LiftLegalHold(caller, { id }))).rejects.toMatchObject({
      code: 'audit.legal_hold_lifted',
    });
    expect((await app.eventsOf(id)).map(({ type }) => type)).toEqual([
      'audit.legal_hold.placed',
      'audit.legal_hold.lifted',
    ]);
  });

  it('needs personal:write', async () => {
    const caller = await app.callerWith(['personal:read']);
    await expect(app.execute(new LiftLegalHold(caller, { id: caller.tenantId }))).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
  });
});
