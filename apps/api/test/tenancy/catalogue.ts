import { newId } from '@holdfast/kernel';
import { buildSchema } from 'graphql';
import { graphqlRoutes, lookedUpFields } from './graphql-routes';
import { Kinds } from './kinds';
import { type Document, restRoutes } from './rest-routes';
import { type Client, codeOf, faultsOf, type Filling, type Reply, type Route } from './route';

/** Everything that can be asked of an application, read from what it says about itself. */
export interface Catalogue {
  readonly routes: readonly Route[];
  /** GraphQL fields with arguments below the roots, which are resolved by a message of their own. */
  readonly lookedUp: readonly { readonly name: string; readonly permission: string | undefined }[];
}

/** Reads /openapi.json and /schema.graphql. */
export async function readCatalogue(client: Client): Promise<Catalogue> {
  const document = (await client.send({ method: 'GET', url: '/openapi.json' })).body as Document;
  const schema = buildSchema((await client.send({ method: 'GET', url: '/schema.graphql' })).text);
  const kinds = new Kinds(Object.keys(document.paths));
  const routes = [...restRoutes(document, kinds), ...graphqlRoutes(schema, document, kinds)];
  return { routes, lookedUp: lookedUpFields(schema) };
}

/** Schemas do not say everything: so often is a request made anew without what the service has refused in it. */
const TRIES_MAX = 8;

/**
 * Sends the route's request until the service finds nothing wrong with its form, and answers what it said then. Objects
 * are looked up anew for each try, since the refused places may have been theirs.
 */
export async function askInForm(
  client: Client,
  route: Route,
  credential: string | undefined,
  fill: () => Filling | Promise<Filling>,
): Promise<Reply> {
  for (let tries = 1; ; tries += 1) {
    const reply = await client.use(route, route.request(await fill()), credential);
    const isForm = codeOf(reply) === 'request.invalid';
    if (!isForm || tries === TRIES_MAX || !route.yield(faultsOf(reply))) return reply;
  }
}

/** A request of the right form about objects that nobody has. */
export function aboutNothing(route: Route): Filling {
  return { mark: 'nothing', ids: new Map(route.places().map(({ name }) => [name, newId()])) };
}
