import { randomUUID } from 'node:crypto';
import { newId } from '@holdfast/kernel';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Canaries, describeReply } from './answers';
import { Attacker, type Sent, type Target } from './attacker';
import { readCatalogue } from './catalogue';
import { Findings } from './findings';
import { Owner, type Tenant, Unexercised, type Ways } from './owner';
import { Client, codeOf, type Filling, isDone, type Reply, type Route } from './route';

/** What the matrix is run against, and with. */
export interface MatrixOptions {
  readonly app: NestFastifyApplication;
  /** Whose objects are sought, and who seeks. */
  readonly victim: Tenant;
  readonly attacker: Tenant;
  /** Credentials of other kinds for the attacker's tenant, by what they are. */
  readonly credentials?: Readonly<Record<string, string>>;
  /** Brings what has happened to those who show it later: telemetry, counts. */
  readonly deliver?: (tenantId: string) => Promise<void>;
  /** Does what is done later, when an answer of 202 has promised it. */
  readonly work?: () => Promise<void>;
  /** Everything that is stored of a tenant, in a form that can be compared. */
  readonly rowsOf?: (tenantId: string) => Promise<Readonly<Record<string, string>>>;
  /** Routes to look at; all by default. */
  readonly only?: (name: string) => boolean;
  /** States of objects that routes are about, by the route's name; see `Ways`. */
  readonly states?: Ways['states'];
  /** Refusals that are a route's proper answer to its owner, by the route's name. */
  readonly refusals?: Readonly<Record<string, string>>;
}

/** What the matrix has found. */
export interface MatrixReport {
  readonly operations: string;
  readonly fields: string;
  readonly requests: number;
  /** Ids, secrets and cursors of the victim that no answer to the attacker may show. */
  readonly canaries: number;
  /** Each begins with the name of its route. */
  readonly leaks: readonly string[];
  /** What the generator could not make a success of: there it is blind. */
  readonly unexercised: readonly string[];
  /** The pairs of answers whose times differed most. */
  readonly times: readonly string[];
}

/** Begins every free text of the victim, and is the name of whatever is made for it by hand. */
export const VICTIMS_MARK = 'canary-victim';

/** Where the victim's own looking around stands, besides what others would leave behind. */
const TRAIL = new Set(['GET /v1/audit/events', 'query auditEvents']);

/**
 * Uses every route as the victim, then asks for the victim's objects as the attacker, in every way that `duelsOf` knows.
 * While the attacker asks, nobody acts for the victim: whatever changes there was changed from outside.
 */
export async function findLeaks(options: MatrixOptions): Promise<MatrixReport> {
  const client = new Client(options.app);
  const { routes } = await readCatalogue(client);
  return new Matrix(client, routes, options).run();
}

class Matrix {
  private readonly findings = new Findings(new Canaries(VICTIMS_MARK));
  private readonly victim: Owner;
  private readonly attacker: Attacker;
  private readonly chosen: readonly Route[];
  private stored: Readonly<Record<string, string>> = {};

  constructor(
    private readonly client: Client,
    routes: readonly Route[],
    private readonly options: MatrixOptions,
  ) {
    const { refusals = {}, states = {}, only = () => true, victim, attacker, work } = options;
    this.chosen = routes.filter(({ name }) => only(name));
    const see = (reply: Reply): void => this.findings.canaries.learn(reply);
    this.victim = new Owner(client, routes, victim, { mark: VICTIMS_MARK, refusals, states, work, see });
    const self = new Owner(client, routes, attacker, { mark: 'canary-attacker', refusals, states, work });
    this.attacker = new Attacker(client, self, victim.id, this.findings, options.credentials);
  }

  async run(): Promise<MatrixReport> {
    const prepared: Target[] = [];
    for (const route of this.of('tenant')) {
      await this.findings.attempt(route, async () => void prepared.push(await this.prepare(route)));
    }
    await this.options.deliver?.(this.options.victim.id);
    const targets: Target[] = [];
    for (const target of prepared) {
      await this.findings.attempt(target.route, async () => void targets.push(await this.lookAround(target)));
    }
    const lookedAt = new Date().toISOString();
    const before = await this.everythingOf(targets, lookedAt);
    this.stored = await this.storedOf();
    for (const target of targets) {
      await this.findings.attempt(target.route, () => this.attacker.attack(target));
      await this.noteChanges(target.route);
    }
    for (const route of this.chosen.filter(({ audience }) => audience !== 'tenant')) await this.knock(route);
    for (const route of this.of('principal')) await this.askAsPerson(route);
    for (const target of targets) {
      await this.findings.attempt(target.route, () => this.attacker.borrow(target));
      await this.noteChanges(target.route);
    }
    const after = await this.everythingOf(targets, lookedAt);
    for (const [what, text] of before) {
      if (after.get(what) !== text)
        this.findings.leaks.add(`${what}: changed while only another tenant acted`);
    }
    return this.report();
  }

  /** Uses the route as the victim and leaves objects behind for each of its places. */
  private async prepare(route: Route): Promise<Target> {
    await this.victim.exercise(route);
    const sent = route.isIdempotent ? [await this.send(route), await this.send(route)] : [];
    const theirs = await this.victim.filling(route);
    for (const { name, kind } of route.writes ? [] : route.places())
      await this.victim.populate(kind, theirs.ids.get(name)!);
    const chosen = new Map<string, string>();
    for (const { name, kind } of route.chosenIds()) chosen.set(name, (await this.victim.make(kind)).id);
    const ended = await this.endedOf(route);
    await this.victim.tidy(JSON.stringify([sent, ...[theirs.ids, chosen].map((ids) => [...ids.values()])]));
    return { route, theirs, sent, chosen, ended, filters: {}, cursor: undefined };
  }

  /** A request whose key and answer are stored with the victim. */
  private async send(route: Route): Promise<Sent> {
    const key = randomUUID();
    const wire = route.request({ ...(await this.victim.filling(route)), idempotencyKey: key });
    this.findings.canaries.learn(await this.client.use(route, wire, this.options.victim.key));
    return { wire, key };
  }

  private async endedOf(route: Route): Promise<Filling | undefined> {
    const filling = await this.victim.filling(route);
    const ids = new Map(filling.ids);
    let hasEnded = false;
    for (const { name, kind } of route.places()) {
      const made = await this.victim.make(kind);
      const reply = await this.victim.end(kind, made);
      if (!reply || !isDone(reply)) continue;
      ids.set(name, made.id);
      hasEnded = true;
    }
    return hasEnded ? { ...filling, ids } : undefined;
  }

  /** Reads as the victim: for canaries, for cursors and values to filter by, and to see that there is something to leak. */
  private async lookAround(target: Target): Promise<Target> {
    const { route, theirs } = target;
    if (route.writes) return target;
    const { key } = this.options.victim;
    const reply = await this.client.send(route.request(theirs), key);
    if (this.options.refusals?.[route.name] === codeOf(reply) && !isDone(reply)) return target;
    if (!isDone(reply)) throw new Unexercised(`${route.name}: ${describeReply(reply)}`);
    this.findings.canaries.learn(reply);
    const record = recordsIn(reply.body)[0];
    if (!record && route.isPaged) throw new Unexercised(`${route.name}: the victim's list is empty`);
    const options = route.protocol === 'rest' ? { limit: 1 } : { first: 1 };
    const page = route.isPaged && (await this.client.send(route.request({ ...theirs, options }), key));
    const cursor = page ? /"(?:nextCursor|endCursor)":"([^"]+)"/.exec(page.text)?.[1] : undefined;
    return { ...target, filters: valuesFor(route.filters, record ?? {}), cursor };
  }

  /** Whether the last attack has changed what is stored of the victim, whatever the answers said. */
  private async noteChanges(route: Route): Promise<void> {
    const stored = await this.storedOf();
    for (const [table, rows] of Object.entries(stored))
      if (rows !== this.stored[table])
        this.findings.leak(route, 'what is stored of the victim', `has changed, in ${table}`);
    this.stored = stored;
  }

  private async storedOf(): Promise<Readonly<Record<string, string>>> {
    return (await this.options.rowsOf?.(this.options.victim.id)) ?? {};
  }

  private async everythingOf(targets: readonly Target[], lookedAt: string): Promise<Map<string, string>> {
    const all = new Map<string, string>();
    const { victim } = this.options;
    for (const { route, theirs } of targets.filter((target) => !target.route.writes)) {
      // Looking at the trail leaves an event there; what others leave behind is found among the rows.
      const options = TRAIL.has(route.name) ? { to: lookedAt } : {};
      const reply = await this.client.send(route.request({ ...theirs, options }), victim.key);
      // When a key was last used is told to its owner, who uses one to look.
      // The cursor of a stream says how far the log has come for all; a statement goes up to the instant at which it is read.
      const seen = reply.text.replaceAll(/"(?:lastUsed\w*|\w*[cC]ursor|to)":(?:"[^"]*"|null)/g, '');
      all.set(route.name, isDone(reply) ? seen : String(codeOf(reply)));
    }
    return all;
  }

  /** Routes of others than tenants: a tenant's credential does not open them, whatever they are asked about. */
  private async knock(route: Route): Promise<void> {
    const { attacker, victim } = this.options;
    const about = (id: string): Filling => ({
      mark: 'canary-attacker',
      ids: new Map(route.places().map(({ name }) => [name, id])),
    });
    const [foreign, unknown, own] = [
      await this.client.send(route.request(about(victim.id)), attacker.key),
      await this.client.send(route.request(about(newId())), attacker.key),
      await this.client.send(route.request(about(attacker.id)), attacker.key),
    ];
    this.findings.compare(route, "a tenant's credential", [foreign, unknown]);
    if (route.audience === 'public') return;
    for (const reply of [foreign, own])
      if (reply.status !== 401) this.findings.leak(route, "a tenant's credential", describeReply(reply));
  }

  /** Routes of persons: asked with what names the victim's tenant, as an invitation's token does, but for its last signs. */
  private async askAsPerson(route: Route): Promise<void> {
    const { credentials = {}, victim } = this.options;
    const bare = (id: string): string => id.replaceAll('-', '');
    const shown = [...this.findings.canaries.named].filter(([, value]) => value.includes(bare(victim.id)));
    const asked = (tenantId: string): Filling => {
      const spoilt = shown.map(([name, value]) => {
        const other = `${value.slice(0, -4)}0000`;
        return [`body/${name}`, other.replace(bare(victim.id), bare(tenantId))] as const;
      });
      return { mark: 'canary-attacker', ids: new Map(spoilt) };
    };
    for (const [name, credential] of Object.entries(credentials)) {
      const ask = (tenantId: string): Promise<Reply> =>
        this.client.send(route.request(asked(tenantId)), credential);
      await ask(newId()); // What a person may do once is done, and changes no answer any more.
      const [foreign, unknown] = [await ask(victim.id), await ask(newId())];
      this.findings.compare(route, `what the victim was given, spoilt, by ${name}`, [foreign, unknown]);
    }
  }

  private of(audience: Route['audience']): readonly Route[] {
    return this.chosen.filter((route) => route.audience === audience);
  }

  private report(): MatrixReport {
    const count = (protocol: Route['protocol']): string => {
      const all = this.chosen.filter((route) => route.protocol === protocol);
      const done = all.filter(({ name }) => !this.findings.unexercised.has(name));
      return `${done.length} of ${all.length}`;
    };
    return {
      operations: count('rest'),
      fields: count('graphql'),
      requests: this.client.sent,
      canaries: this.findings.canaries.size,
      leaks: [...this.findings.leaks],
      unexercised: [...this.findings.unexercised.values()],
      times: this.findings.widest(5),
    };
  }
}

type Json = Readonly<Record<string, unknown>>;

/** The objects of a list, of REST or of GraphQL. */
function recordsIn(body: unknown): Json[] {
  const { data } = (body ?? {}) as { data?: unknown };
  if (Array.isArray(data)) return data as Json[];
  return Object.values((data ?? {}) as Json).flatMap((field) => {
    if (Array.isArray(field)) return field as Json[];
    // The field is a list itself, or an object with one, as a statement is.
    return [field, ...Object.values(field ?? {})].flatMap((each) => {
      const { edges = [] } = (each ?? {}) as { edges?: readonly { readonly node: Json }[] };
      return edges.map(({ node }) => node);
    });
  });
}

/** What a record has under the names of filters: a text, or `type/id` of a reference. */
function valuesFor(filters: readonly string[], record: Json): Record<string, string> {
  const entries = filters.map((name) => {
    const value = record[name];
    const { type, id } = (value ?? {}) as { type?: string; id?: string };
    if (type !== undefined && id !== undefined) return [name, `${type}/${id}`] as const;
    return [name, typeof value === 'string' ? value : VICTIMS_MARK] as const;
  });
  return Object.fromEntries(entries);
}
