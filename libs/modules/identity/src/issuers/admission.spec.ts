import { admittedRole, roleFor } from './admission';

const mapping = {
  claim: 'org',
  claim_value: 'acme',
  role_claim: 'realm_access.roles',
  roles: [
    { value: 'boss', role: 'admin' },
    { value: 'staff', role: 'member' },
  ],
  default_role: null,
};

describe('A mapping of an issuer', () => {
  it('keeps everybody out whose claim is not the tenant’s', () => {
    const roles = { realm_access: { roles: ['boss'] } };
    for (const org of [undefined, null, 'other', 'ACME', ['other'], { acme: true }, 7])
      expect(roleFor({ ...mapping, default_role: 'member' }, { org, ...roles })).toBeUndefined();
  });

  it('gives the first role whose value is among those of the claim', () => {
    const claims = (...roles: string[]) => ({ org: ['other', 'acme'], realm_access: { roles } });
    expect(roleFor(mapping, claims('staff', 'boss'))).toBe('admin');
    expect(roleFor(mapping, claims('staff'))).toBe('member');
    expect(roleFor(mapping, claims('guest'))).toBeUndefined();
    expect(roleFor({ ...mapping, default_role: 'auditor' }, claims('guest'))).toBe('auditor');
  });

  it('reads a claim whose name has dots', () => {
    const named = { ...mapping, claim: 'https://acme.example/org' };
    expect(roleFor({ ...named, default_role: 'member' }, { 'https://acme.example/org': 'acme' })).toBe(
      'member',
    );
  });

  it('is one of several, of which the first that admits counts', () => {
    const other = { ...mapping, claim_value: 'umbrella', default_role: 'auditor' };
    expect(admittedRole([mapping, other], { org: 'umbrella' })).toBe('auditor');
    expect(admittedRole([mapping, other], { org: 'elsewhere' })).toBeUndefined();
    expect(admittedRole([], { org: 'acme' })).toBeUndefined();
  });

  it('finds nothing on prototypes', () => {
    const odd = { ...mapping, claim: 'constructor.name', claim_value: 'Object', default_role: 'member' };
    expect(roleFor(odd, {})).toBeUndefined();
  });
});
