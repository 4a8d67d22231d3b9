import { aboutNothing, askInForm, type Catalogue, readCatalogue } from './tenancy/catalogue';
import { bodyOf } from './tenancy/rest-routes';
import { Client, codeOf, isDone, type Route } from './tenancy/route';
import { TestApi } from './test-api';

/**
 * The permission that a route documents is the one that the bus enforces, for each permission there is. The routes are
 * asked about objects that nobody has: who may pass is told that there is nothing, who may not is told that.
 */
describe('Permissions', () => {
  let api: TestApi;
  let client: Client;
  let catalogue: Catalogue;
  let routes: readonly Route[];
  let permissions: readonly string[];

  beforeAll(async () => {
    api = await TestApi.start();
    client = new Client(api.app);
    catalogue = await readCatalogue(client);
    routes = catalogue.routes.filter(({ audience }) => audience === 'tenant');
    const { properties } = bodyOf(catalogue.document.paths['/v1/api-keys']!['post']!)!;
    permissions = (properties!['scopes']!.items!.enum as string[]).filter((scope) => scope !== '*');
  });
  afterAll(() => api.close());

  /** The routes, by name, that refuse a credential for want of a permission. */
  async function refusedTo(key: string): Promise<string[]> {
    const refused: string[] = [];
    for (const route of routes) {
      const reply = await askInForm(client, route, key, () => aboutNothing(route));
      if (codeOf(reply) === 'auth.forbidden') refused.push(route.name);
      else expect([route.name, isDone(reply) || codeOf(reply)]).not.toEqual([route.name, 'request.invalid']);
    }
    return refused;
  }

  it('are named by every route that tenants can call', () => {
    expect(routes.filter(({ permission }) => !permissions.includes(permission ?? '')).map(named)).toEqual([]);
    expect(routes.length).toBeGreaterThan(30);
  });

  it('let through exactly the routes that name them', async () => {
    expect(await refusedTo((await api.tenant(['*'])).key)).toEqual([]);
    for (const permission of permissions) {
      const { key } = await api.tenant([permission]);
      const others = routes.filter((route) => route.permission !== permission).map(named);
      expect([permission, await refusedTo(key)]).toEqual([permission, others]);
    }
    process.stdout.write(`${permissions.length} permissions x ${routes.length} routes\n`);
  });
});

function named({ name }: Route): string {
  return name;
}
