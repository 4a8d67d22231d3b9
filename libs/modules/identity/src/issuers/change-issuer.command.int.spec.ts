import type { Caller } from '@holdfast/kernel';
import { IdentityApp, ISSUER } from '../../test/identity-app';
import { AddIssuer, addIssuerInput } from './add-issuer.command';
import { ChangeIssuer } from './change-issuer.command';

describe('ChangeIssuer', () => {
  let app: IdentityApp;
  let owner: Caller;
  const input = addIssuerInput.parse({
    issuer: ISSUER.issuer,
    claim: 'org',
    claimValue: 'acme',
    roleClaim: 'groups',
    roles: [{ value: 'staff', role: 'member' }],
    defaultRole: 'auditor',
  });

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => void (owner = await app.database.caller()));
  afterAll(() => app.close());

  it('changes what is given and leaves the rest', async () => {
    const { id, version } = await app.execute(new AddIssuer(owner, input));
    const changed = await app.execute(new ChangeIssuer(owner, { id, version, defaultRole: null }));
    expect(changed).toMatchObject({
      roleClaim: 'groups',
      roles: [{ value: 'staff', role: 'member' }],
      defaultRole: null,
    });
    await expect(
      app.execute(new ChangeIssuer(owner, { id, version, claim: 'tenant' })),
    ).rejects.toMatchObject({ code: 'resource.version_mismatch' });
  });

  it('is not for somebody who holds less than it gives', async () => {
    const { id, version } = await app.execute(new AddIssuer(owner, input));
    const role = await app.defineRole(owner, 'issuers:write');
    const by = (await app.as(await app.add(owner, role.id), owner.tenantId)) ?? owner;
    await expect(
      app.execute(new ChangeIssuer(by, { id, version, claimValue: 'everybody' })),
    ).rejects.toMatchObject({ code: 'identity.scope_not_held' });
  });
});
