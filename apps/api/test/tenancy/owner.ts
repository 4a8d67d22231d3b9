import { askInForm } from './catalogue';
import { LEFT_OUT } from './json-schema';
import { type Client, type Filling, isDone, type Kind, type Reply, type Route } from './route';
import { describeReply } from './answers';

/** A tenant's id and a key that may do everything in it. */
export interface Tenant {
  readonly id: string;
  readonly key: string;
}

/** An object, and what stands before it in its path. */
export interface Made {
  readonly id: string;
  readonly parents: readonly string[];
}

/** A request that the generator could not make a success of: the matrix is blind there. */
export class Unexercised extends Error {
  override readonly name = 'Unexercised';
}

/** How an owner writes and what it takes for an answer. */
export interface Ways {
  /** Begins every free text. */
  readonly mark: string;
  /** Refusals that are a route's proper answer to its owner, in the state that the generator can bring about. */
  readonly refusals: Readonly<Record<string, string>>;
  /** What the body says that makes an object for a route, by the route's name: some are about objects in one state alone. */
  readonly states?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Does what an answer of 202 has promised. */
  readonly work?: (() => Promise<void>) | undefined;
  /** Sees every answer. */
  readonly see?: (reply: Reply) => void;
}

/** Uses routes as a tenant that owns what they are about. */
export class Owner {
  private readonly underWay = new Set<Kind>();
  private readonly made: { readonly kind: Kind; readonly id: string }[] = [];
  /** What stands before an object that was made, by the object's id. */
  private readonly above = new Map<string, readonly string[]>();

  constructor(
    private readonly client: Client,
    private readonly routes: readonly Route[],
    readonly tenant: Tenant,
    private readonly ways: Ways,
  ) {}

  /** Uses the route on fresh objects of one's own. Throws Unexercised where it does not do what it is for. */
  async exercise(route: Route, more: Partial<Filling> = {}): Promise<Reply> {
    const fill = async (): Promise<Filling> => ({ ...(await this.filling(route)), ...more });
    const reply = await askInForm(this.client, route, this.tenant.key, fill);
    this.ways.see?.(reply);
    this.note(route, reply);
    if (this.isExpected(route, reply)) return reply;
    throw new Unexercised(`${route.name}: ${describeReply(reply)}`);
  }

  /** Whether the route did what it is for, or refused what it always refuses here. */
  isExpected(route: Route, reply: Reply): boolean {
    const refusal = this.ways.refusals[route.name];
    return isDone(reply) || (refusal !== undefined && reply.text.includes(`"${refusal}"`));
  }

  /** Objects of one's own for every place of the route. */
  async filling(route: Route): Promise<Filling> {
    const places = route.places();
    const ids = new Map<string, string>();
    const state = this.ways.states?.[route.name];
    const inPath = places.filter(({ name }) => name.startsWith('path/'));
    const deepest = inPath.at(-1);
    if (deepest) {
      const { parents, id } = await this.make(deepest.kind, state);
      for (const [index, { name }] of inPath.entries()) ids.set(name, [...parents, id][index] ?? id);
    }
    for (const { name, kind } of places) if (!ids.has(name)) ids.set(name, (await this.make(kind, state)).id);
    // Every tenant has a stream of its own.
    return { mark: this.ways.mark, ids, stream: `tenants.tenant/${this.tenant.id}` };
  }

  /** Makes objects that belong to the one at the place, so that its lists are not empty. */
  async populate(kind: Kind, id: string): Promise<void> {
    for (const route of this.routes.filter((each) => each.audience === 'tenant' && each.isIdempotent)) {
      // What stands in the path, or is called `id`, is what the route changes, and may end: nothing is made for it.
      const place = route
        .places()
        .find((each) => each.kind === kind && !each.name.startsWith('path/') && each.name !== 'id');
      if (!place) continue;
      const { ids } = await this.filling(route);
      await this.exercise(route, { ids: new Map([...ids, [place.name, id]]) });
    }
    if (this.hasPartsMadeElsewhere(kind)) await this.stir(kind, [id]);
  }

  /** Makes an object of the kind, or finds one where the service makes them by itself. */
  async make(kind: Kind, state?: Filling['fields']): Promise<Made> {
    // An object that refers to one of its own kind, as a reply does: the first refers to none.
    if (this.underWay.has(kind)) return { id: LEFT_OUT, parents: [] };
    this.underWay.add(kind);
    try {
      const deepest = kind.parents.at(-1);
      const above = deepest && (await this.make(deepest));
      const parents = above ? [...above.parents, above.id] : [];
      const create = this.route(`POST ${kind.collection}`);
      const id =
        (create && (await this.create(create, kind, parents, state))) ?? (await this.first(kind, parents));
      if (parents.length > 0) this.above.set(id, parents);
      return { id, parents };
    } finally {
      this.underWay.delete(kind);
    }
  }

  /** Deletes an object of the kind as its owner; undefined where the kind cannot be deleted. */
  async end(kind: Kind, { id, parents }: Made): Promise<Reply | undefined> {
    const remove = this.route(`DELETE ${kind.collection}/{${kind.identity}}`);
    if (!remove) return undefined;
    const ids = this.path(remove, [...parents, id]);
    return this.client.use(remove, remove.request({ mark: this.ways.mark, ids }), this.tenant.key);
  }

  /** Remembers what a request has made, so that it can be removed again: plans have quotas. */
  note({ creates }: Route, reply: Reply): void {
    if (!creates || creates.parents.length > 0 || !isDone(reply)) return;
    const { data } = reply.body as { data?: Readonly<Record<string, unknown>> };
    const id = identityOf(creates, data ? Object.values(data)[0] : reply.body);
    if (id !== undefined) this.made.push({ kind: creates, id });
  }

  /** Removes what was made and is not among what is kept, or above it. */
  async tidy(kept: string): Promise<void> {
    const keptIds = [...this.above.keys()].filter((id) => kept.includes(id));
    const above = new Set(keptIds.flatMap((id) => this.above.get(id) ?? []));
    for (const { kind, id } of this.made.splice(0))
      if (!kept.includes(id) && !above.has(id)) await this.end(kind, { id, parents: [] });
  }

  private async create(
    route: Route,
    kind: Kind,
    parents: readonly string[],
    fields: Filling['fields'],
  ): Promise<string | undefined> {
    if (route.audience !== 'tenant') return undefined;
    const { ids } = await this.filling(route);
    const reply = await this.exercise(route, {
      ids: new Map([...ids, ...this.path(route, parents)]),
      ...(fields && { fields }),
    });
    if (reply.status === 202) await this.ways.work?.();
    return identityOf(kind, reply.body);
  }

  /** The first that a list shows, or that the object does which these are parts of. */
  private async first(kind: Kind, parents: readonly string[]): Promise<string> {
    const whole = kind.collection.slice(0, kind.collection.lastIndexOf('/'));
    const part = kind.collection.slice(whole.length + 1);
    const lists = this.routes.filter(({ name }) => name === `GET ${kind.collection}`);
    const wholes = this.routes.filter(
      (route) => route.name.startsWith(`GET ${whole}`) && route.places().length === parents.length,
    );
    const [above] = kind.parents;
    for (const stir of [undefined, above]) {
      if (stir && parents.length === 1) await this.stir(stir, parents);
      for (const route of lists.length > 0 ? lists : wholes) {
        const { body } = await this.exercise(route, { ids: this.path(route, parents) });
        const { data, [part]: parts = data } = body as Readonly<
          Record<string, Readonly<Record<string, unknown>>[]>
        >;
        const id = identityOf(kind, parts?.[0]);
        if (id !== undefined) return id;
      }
    }
    throw new Unexercised(`${kind.collection}: there is none, and no way to make one`);
  }

  /** Whether the kind has lists of parts that no POST to the list makes, as a webhook has of deliveries. */
  private hasPartsMadeElsewhere({ collection, identity, parents }: Kind): boolean {
    const below = `${collection}/{${identity}}/`;
    return (
      parents.length === 0 &&
      this.routes.some(
        ({ name, isPaged }) =>
          isPaged && name.startsWith(`GET ${below}`) && !this.route(name.replace('GET', 'POST')),
      )
    );
  }

  /** Does to an object whatever can be done to it by name: nothing says which of it makes the object's parts. */
  private async stir({ collection, identity }: Kind, path: readonly string[]): Promise<void> {
    const prefix = `POST ${collection}/{${identity}}/`;
    for (const route of this.routes) {
      if (!route.name.startsWith(prefix) || route.places().length !== path.length) continue;
      await this.exercise(route, { ids: this.path(route, path) });
    }
  }

  private path(route: Route, ids: readonly string[]): Map<string, string> {
    const names = route.places().filter(({ name }) => name.startsWith('path/'));
    return new Map(names.map(({ name }, index) => [name, ids[index] ?? '']));
  }

  private route(name: string): Route | undefined {
    return this.routes.find((route) => route.name === name);
  }
}

function identityOf({ identity }: Kind, object: unknown): string | undefined {
  const { [identity]: id, id: usual } = (object ?? {}) as Readonly<Record<string, unknown>>;
  return [id, usual].find((each) => typeof each === 'string');
}
