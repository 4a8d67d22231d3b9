import { BUILT_IN_ROLES, PERMISSION_NAMES, PERMISSIONS, scopesOfRole } from './permissions';

describe('The table of permissions', () => {
  it('names each permission once, as area:verb, with its meaning', () => {
    expect(new Set(PERMISSION_NAMES).size).toBe(PERMISSIONS.length);
    for (const { name, meaning } of PERMISSIONS) {
      expect(name).toMatch(/^[a-z]+:(read|write|close)$/);
      expect(meaning.length).toBeGreaterThan(5);
    }
  });

  it('gives the owner everything, also what is added later', () => {
    expect(scopesOfRole('owner')).toEqual(['*']);
  });

  it('gives the auditor nothing that changes anything', () => {
    expect(scopesOfRole('auditor').filter((scope) => !scope.endsWith(':read'))).toEqual([]);
  });

  it('gives the member less than the admin', () => {
    const admin = scopesOfRole('admin');
    expect(scopesOfRole('member').every((scope) => admin.includes(scope))).toBe(true);
    expect(scopesOfRole('member')).not.toContain('members:write');
  });

  it.each(BUILT_IN_ROLES)('knows the role %s', (role) => {
    expect(scopesOfRole(role).length).toBeGreaterThan(0);
  });
});
