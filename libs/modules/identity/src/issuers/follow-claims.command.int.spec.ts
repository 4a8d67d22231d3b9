import type { Caller } from '@holdfast/kernel';
import { IdentityApp, ISSUER, principalOf } from '../../test/identity-app';
import { ChangeMember } from '../members/change-member.command';
import type { MemberView } from '../members/member';
import { Members } from '../members/members.query';
import { AddIssuer, addIssuerInput } from './add-issuer.command';
import { FollowClaims } from './follow-claims.command';

describe('FollowClaims', () => {
  let app: IdentityApp;
  let owner: Caller;

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => {
    owner = await app.database.caller();
    const input = addIssuerInput.parse({
      issuer: ISSUER.issuer,
      claim: 'org',
      claimValue: 'acme',
      roleClaim: 'groups',
      roles: [
        { value: 'staff', role: 'member' },
        { value: 'boss', role: 'admin' },
      ],
    });
    await app.execute(new AddIssuer(owner, input));
  });
  afterAll(() => app.close());

  const signIn = async (claims: object, subject = 'anna'): Promise<MemberView | undefined> => {
    await app.execute(new FollowClaims(owner, principalOf(subject, { ...claims })));
    const { data } = await app.queries.execute(new Members(owner, { limit: 10 }));
    return data.find((member) => member.subject === subject);
  };

  it('brings in whom the claims admit, follows them, and ends when they end', async () => {
    expect(await signIn({ org: 'other', groups: ['staff'] })).toBeUndefined();
    expect(await signIn({ org: 'acme', groups: [] })).toBeUndefined();
    const member = await signIn({ org: 'acme', groups: ['staff'] });
    expect(member).toMatchObject({ role: 'member', source: 'issuer' });
    expect(await signIn({ org: 'acme', groups: ['boss'] })).toMatchObject({ role: 'admin' });
    expect(await signIn({ org: 'acme', groups: ['boss'] })).toMatchObject({ role: 'admin', version: '2' });
    expect(await signIn({ org: 'other', groups: ['boss'] })).toBeUndefined();
    expect((await app.events(member?.id ?? '')).map(({ type }) => type)).toEqual([
      'identity.member.added',
      'identity.member.changed',
      'identity.member.removed',
    ]);
  });

  it('leaves those alone who were made members by hand, or given a role by hand', async () => {
    await app.add(owner, 'owner', 'olga');
    expect(await signIn({ org: 'other' }, 'olga')).toMatchObject({ role: 'owner' });
    const { id = '', version = '' } = (await signIn({ org: 'acme', groups: ['staff'] })) ?? {};
    await app.execute(new ChangeMember(owner, { id, version, role: 'auditor' }));
    expect(await signIn({ org: 'other' })).toMatchObject({ role: 'auditor', source: 'added' });
  });

  it('makes one member of a person whose requests come at once', async () => {
    const claims = { org: 'acme', groups: 'staff' };
    await Promise.allSettled(Array.from({ length: 8 }, () => signIn(claims)));
    const { data } = await app.queries.execute(new Members(owner, { limit: 10 }));
    expect(data).toHaveLength(1);
  });

  it('moves nobody in another tenant that maps the same claim', async () => {
    await signIn({ org: 'acme', groups: ['staff'] });
    const stranger = await app.database.caller();
    const input = addIssuerInput.parse({
      issuer: ISSUER.issuer,
      claim: 'org',
      claimValue: 'acme',
      defaultRole: 'member',
    });
    await app.execute(new AddIssuer(stranger, input));
    expect((await app.queries.execute(new Members(stranger, { limit: 10 }))).data).toEqual([]);
  });
});
