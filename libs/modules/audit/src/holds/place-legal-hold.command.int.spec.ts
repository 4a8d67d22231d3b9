import { newId } from '@holdfast/kernel';
import { PersonalApp } from '../../test/personal-app';
import { findLegalHold } from './find-legal-hold';
import { LegalHoldById, LegalHolds } from './legal-holds.query';
import { LiftLegalHold } from './lift-legal-hold.command';
import { PlaceLegalHold } from './place-legal-hold.command';

/** Why somebody may not be erased is for those who decide about it, and not for the log. */
describe('Placing a legal hold', () => {
  let app: PersonalApp;
  beforeAll(async () => void (app = await PersonalApp.start()));
  afterAll(() => app.close());

  it('is announced without its reason, and listed with it, newest first', async () => {
    const caller = await app.database.caller();
    const subjectId = newId();
    await app.describe(caller, subjectId, 'is a party to it');
    const first = await app.execute(new PlaceLegalHold(caller, { subjectId, reason: 'Smith v. Jones' }));
    const second = await app.execute(new PlaceLegalHold(caller, { reason: 'an audit by the state' }));
    expect(second).toMatchObject({ subjectId: null, placedBy: 'system:test', liftedAt: null });
    await expect(
      app.execute(new PlaceLegalHold(caller, { subjectId: newId(), reason: 'a slip' })),
    ).rejects.toMatchObject({
      errors: [{ pointer: '/subjectId', code: 'unknown' }],
    });
    expect(await app.eventsOf(first.id)).toEqual([{ type: 'audit.legal_hold.placed', data: { subjectId } }]);
    const listed = await app.ask(new LegalHolds(caller, { limit: 1 }));
    expect(listed.data).toEqual([second]);
    const next = await app.ask(new LegalHolds(caller, { limit: 1, after: listed.nextCursor ?? '' }));
    expect(next).toEqual({ data: [first], nextCursor: null });
  });

  it('keeps the whole tenant from being erased, whoever it is about, until it is lifted', async () => {
    const caller = await app.database.caller();
    const found = (): Promise<string | undefined> => app.tenants.transaction(caller, findLegalHold);
    expect(await found()).toBeUndefined();
    const subjectId = newId();
    await app.describe(caller, subjectId, 'is a party to it');
    const hold = await app.execute(new PlaceLegalHold(caller, { subjectId, reason: 'a case' }));
    expect(await found()).toContain('legal hold');
    await app.execute(new LiftLegalHold(caller, { id: hold.id }));
    expect(await found()).toBeUndefined();
  });

  it('is nobody else’s', async () => {
    const caller = await app.database.caller();
    const { id } = await app.execute(new PlaceLegalHold(caller, { reason: 'a case' }));
    const other = await app.database.caller();
    await expect(app.ask(new LegalHoldById(other, { id }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
    await expect(app.execute(new LiftLegalHold(other, { id }))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
  });

  it('needs personal:write', async () => {
    const caller = await app.callerWith(['personal:read', 'audit:write']);
    await expect(app.execute(new PlaceLegalHold(caller, { reason: 'a case' }))).rejects.toMatchObject({
      code: 'auth.forbidden',
    });
  });
});
