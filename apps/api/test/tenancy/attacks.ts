import { newId } from '@holdfast/kernel';
import { type Filling, isSecret, type Route, unknownLike, type Wire } from './route';

/** Two requests that must be answered alike: about what is another tenant's, and about what nobody has. */
export interface Duel {
  readonly what: string;
  readonly foreign: () => Wire;
  readonly unknown: () => Wire;
  /** Whether the answers must take the same class of time as well. */
  readonly isTimed: boolean;
}

/** What the attacker B has to work with on one route. */
export interface Arsenal {
  readonly route: Route;
  /** Objects of A, live and ended, for the route's places. */
  readonly theirs: Filling;
  readonly ended: Filling | undefined;
  /** Objects of B. */
  readonly own: Filling;
  /** A's tenant id. */
  readonly tenantId: string;
  /** A request that A has sent, key and all. */
  readonly sent: Wire | undefined;
  /** Values that A's objects have under the names of the route's filters. */
  readonly filters: Readonly<Record<string, string>>;
}

/** Every way to ask for what is A's without being A. */
export function duelsOf(arsenal: Arsenal): Duel[] {
  return [
    ...placeDuels(arsenal),
    ...endedDuels(arsenal),
    ...injectionDuels(arsenal),
    ...filterDuels(arsenal),
    ...replayDuels(arsenal),
  ];
}

/** The first that anybody would try, for credentials of which there are many kinds. */
export function shortDuelsOf(arsenal: Arsenal): Duel[] {
  const [choosing] = injectionDuels(arsenal);
  return [...placeDuels(arsenal), ...(choosing ? [choosing] : [])].map((each) => ({
    ...each,
    isTimed: false,
  }));
}

/** A's id at one place among B's own, so that parents and children are mixed; then at all of them. */
function placeDuels({ route, theirs, own }: Arsenal): Duel[] {
  const names = [...theirs.ids].flatMap(([name, id]) => (isSecret(id, theirs.mark) ? name : []));
  const one = names.map((name) => {
    const swap = (id: string): Filling => ({ ...own, ids: new Map([...own.ids, [name, id]]) });
    return {
      what: `another tenant's id at ${name}`,
      foreign: () => route.request(swap(theirs.ids.get(name)!)),
      unknown: () => route.request(swap(unknownLike(theirs.ids.get(name)!, theirs.mark))),
      isTimed: true,
    };
  });
  const all = { ...duel(route, theirs, own.mark), what: "another tenant's ids everywhere" };
  return names.length > 1 ? [...one, all] : one;
}

function endedDuels({ route, ended, own }: Arsenal): Duel[] {
  return ended ? [{ ...duel(route, ended, own.mark), what: "another tenant's deleted object" }] : [];
}

/** A's tenant id wherever a careless service might take a tenant from. */
function injectionDuels({ route, theirs, own, tenantId }: Arsenal): Duel[] {
  const base = theirs.ids.size > 0 ? theirs : own;
  return INJECTIONS.map(({ what, inject }) => {
    const plain = duel(route, base, own.mark);
    return {
      what,
      foreign: () => inject(plain.foreign(), tenantId),
      unknown: () => inject(plain.unknown(), newId()),
      isTimed: false,
    };
  });
}

/** A value that is nobody's secret, such as a type of events, stays as it is: B may have such as well. */
function filterDuels({ route, own, theirs, filters }: Arsenal): Duel[] {
  return Object.entries(filters).map(([name, value]) => ({
    what: `filter ${name} with another tenant's value`,
    foreign: () => route.request({ ...own, options: { [name]: value } }),
    unknown: () => route.request({ ...own, options: { [name]: unknownLike(value, theirs.mark) } }),
    isTimed: isSecret(value, theirs.mark),
  }));
}

/** The very request that A has sent, under the same idempotency key. */
function replayDuels({ route, sent, theirs, own }: Arsenal): Duel[] {
  if (!sent || theirs.ids.size === 0) return [];
  const { unknown } = duel(route, theirs, own.mark);
  return [{ what: "another tenant's request under its key", foreign: () => sent, unknown, isTimed: false }];
}

function duel(route: Route, filling: Filling, mark: string): Omit<Duel, 'what'> {
  const nobodys = (): Filling['ids'] =>
    new Map([...filling.ids].map(([name, id]) => [name, unknownLike(id, filling.mark)]));
  return {
    foreign: () => route.request({ ...filling, mark }),
    unknown: () => route.request({ ...filling, mark, ids: nobodys() }),
    isTimed: false,
  };
}

interface Injection {
  readonly what: string;
  readonly inject: (wire: Wire, tenantId: string) => Wire;
}

/** Names under which services elsewhere take a tenant. Ours stands by itself, since naming another one is refused. */
const HEADERS = [
  'tenant',
  'tenant-id',
  'x-tenant',
  'x-tenant-id',
  'x-holdfast-tenant',
  'x-org-id',
  'x-forwarded-host',
  'x-forwarded-user',
  'x-forwarded-tenant',
  'x-original-url',
];
const NAMES = ['tenantId', 'tenant_id', 'tenant'];

/** The ways to name a tenant beside the credential. */
const INJECTIONS: readonly Injection[] = [
  {
    // By itself: a request that it refuses shows nothing about the other headers.
    what: "another tenant's id in the header that chooses a tenant",
    inject: (wire, tenantId) => ({ ...wire, headers: { ...wire.headers, 'holdfast-tenant': tenantId } }),
  },
  {
    what: "another tenant's id in headers",
    inject: (wire, tenantId) => ({
      ...wire,
      headers: { ...wire.headers, ...Object.fromEntries(HEADERS.map((name) => [name, tenantId])) },
    }),
  },
  ...NAMES.map((name) => ({
    what: `another tenant's id in the query as ${name}`,
    inject: (wire: Wire, tenantId: string) => ({
      ...wire,
      url: `${wire.url}${wire.url.includes('?') ? '&' : '?'}${name}=${tenantId}`,
    }),
  })),
  ...NAMES.map((name) => ({ what: `another tenant's id in the body as ${name}`, inject: inBody(name) })),
];

/** One of each: what stands in a name has been tried on what is foreign. */
export const INJECTIONS_INTO_OWN = INJECTIONS.filter(({ what }) => /header|tenantId$/.test(what));

/** At the top of a REST body; as one more argument, and in the input, of a GraphQL field. */
function inBody(name: string): Injection['inject'] {
  return (wire, tenantId) => {
    const { variables } = (wire.body ?? {}) as { variables?: Readonly<Record<string, unknown>> };
    if (!variables) return { ...wire, body: { ...(wire.body as object | undefined), [name]: tenantId } };
    const { input } = variables;
    const inner = typeof input === 'object' ? { input: { ...input, [name]: tenantId } } : {};
    return {
      ...wire,
      body: { ...(wire.body as object), variables: { ...variables, ...inner }, [name]: tenantId },
    };
  };
}

/** The same request under another idempotency key, of REST or of GraphQL. */
export function withKey(wire: Wire, key: string): Wire {
  const { variables } = (wire.body ?? {}) as { variables?: Readonly<Record<string, unknown>> };
  if (!variables) return { ...wire, headers: { ...wire.headers, 'idempotency-key': key } };
  const body = { ...(wire.body as object), variables: { ...variables, idempotencyKey: key } };
  return { ...wire, body };
}
