import { BUILT_IN_ROLES, PERMISSION_NAMES, type Permission, scopesOfRole } from '@holdfast/kernel';
import { aboutNothing, askInForm, type Catalogue, readCatalogue } from './tenancy/catalogue';
import { NotesModule } from './tenancy/notes.module';
import { Client, codeOf, type Route } from './tenancy/route';
import { TestApi } from './test-api';

/**
 * The permission that a route documents is the one that the bus enforces, for each permission and each role there is. The
 * routes are asked about objects that nobody has: who may pass is told that there is nothing, who may not is told that.
 */
describe('Permissions', () => {
  let api: TestApi;
  let client: Client;
  let catalogue: Catalogue;
  let routes: readonly Route[];
  /** Of a module that asks nobody; the walk has to see the difference. */
  let unguarded: readonly Route[];

  beforeAll(async () => {
    api = await TestApi.start({}, [NotesModule]);
    client = new Client(api.app);
    catalogue = await readCatalogue(client);
    const all = catalogue.routes.filter(({ audience }) => audience === 'tenant');
    unguarded = all.filter(({ name }) => /\bnotes?\b/.test(name));
    routes = all.filter((route) => !unguarded.includes(route));
    const walked = `${BUILT_IN_ROLES.length} roles and ${PERMISSION_NAMES.length} permissions x ${routes.length} routes`;
    process.stdout.write(`${walked}\n`);
  });
  afterAll(() => api.close());

  /** The routes that refuse a credential with these scopes for want of a permission. */
  async function refusedTo(scopes: readonly string[], asked = routes): Promise<string[]> {
    const { key } = await api.tenant(scopes);
    const refused: string[] = [];
    for (const route of asked) {
      const code = codeOf(await askInForm(client, route, key, () => aboutNothing(route)));
      if (code === 'auth.forbidden') refused.push(route.name);
      // A request of the wrong form is refused ahead of the bus, and says nothing about permissions.
      else expect([route.name, code]).not.toEqual([route.name, 'request.invalid']);
    }
    return refused;
  }

  function notAllowedBy(scopes: readonly string[], asked = routes): string[] {
    if (scopes.includes('*')) return [];
    return asked.filter(({ permission }) => !scopes.includes(permission ?? '')).map(({ name }) => name);
  }

  it('are named by every route that tenants can call', () => {
    const unnamed = routes.filter(({ permission }) => !PERMISSION_NAMES.includes(permission as Permission));
    expect(unnamed.map(({ name }) => name)).toEqual([]);
    expect(routes.length).toBeGreaterThan(30);
  });

  it('are named by every field below the roots that is looked up for itself', () => {
    expect(catalogue.lookedUp.filter(({ permission }) => permission === undefined)).toEqual([]);
    expect(catalogue.lookedUp.length).toBeGreaterThan(0);
  });

  it.each(PERMISSION_NAMES)('let %s through where it is named, and nowhere else', async (permission) => {
    expect(await refusedTo([permission])).toEqual(notAllowedBy([permission]));
  });

  it.each(BUILT_IN_ROLES)('let the %s through as the table says', async (role) => {
    const scopes = scopesOfRole(role);
    expect(await refusedTo(scopes)).toEqual(notAllowedBy(scopes));
  });

  it('are seen to be missing where a route asks nobody', async () => {
    const scopes = ['audit:read'];
    expect(notAllowedBy(scopes, unguarded)).toHaveLength(8);
    expect(await refusedTo(scopes, unguarded)).toEqual([]);
  });
});
