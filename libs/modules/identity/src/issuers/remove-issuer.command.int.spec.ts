import type { Caller } from '@holdfast/kernel';
import { IdentityApp, ISSUER } from '../../test/identity-app';
import { AddIssuer, addIssuerInput } from './add-issuer.command';
import { Issuers } from './issuers.query';
import { RemoveIssuer } from './remove-issuer.command';

describe('RemoveIssuer', () => {
  let app: IdentityApp;
  let owner: Caller;
  const input = addIssuerInput.parse({ issuer: ISSUER.issuer, claim: 'org', claimValue: 'acme' });

  beforeAll(async () => void (app = await IdentityApp.start()));
  beforeEach(async () => void (owner = await app.database.caller()));
  afterAll(() => app.close());

  it('is not for somebody who holds less than it gives', async () => {
    const mapping = await app.execute(new AddIssuer(owner, { ...input, defaultRole: 'admin' }));
    const role = await app.defineRole(owner, 'issuers:write');
    const by = (await app.as(await app.add(owner, role.id), owner.tenantId)) ?? owner;
    await expect(app.execute(new RemoveIssuer(by, mapping))).rejects.toMatchObject({
      code: 'identity.scope_not_held',
    });
  });

  it('takes the mapping away, in its own tenant alone', async () => {
    const mapping = await app.execute(new AddIssuer(owner, input));
    const stranger = await app.database.caller();
    await expect(app.execute(new RemoveIssuer(stranger, mapping))).rejects.toMatchObject({
      code: 'resource.not_found',
    });
    await app.execute(new RemoveIssuer(owner, mapping));
    expect(await app.queries.execute(new Issuers(owner, {}))).toEqual({ data: [] });
    expect((await app.events(mapping.id)).at(-1)).toEqual({ type: 'identity.issuer.removed', data: {} });
  });
});
