import { newId } from '@holdfast/kernel';
import { type Arsenal, type Duel, duelsOf, INJECTIONS_INTO_OWN, shortDuelsOf, withKey } from './attacks';
import { describeReply, judgeForeignAnswer } from './answers';
import type { Findings } from './findings';
import type { Owner } from './owner';
import { type Client, type Filling, type Reply, type Route, type Wire } from './route';

/** What there is of the victim for one route. */
export interface Target {
  readonly route: Route;
  readonly theirs: Filling;
  readonly ended: Filling | undefined;
  /** Requests of the victim: one to send again, and one whose key is taken for something else. */
  readonly sent: readonly Sent[];
  /** Ids that objects of the victim have, by the places at which an asker may choose one. */
  readonly chosen: ReadonlyMap<string, string>;
  readonly filters: Readonly<Record<string, string>>;
  /** A cursor that a list has handed to the victim. */
  readonly cursor: string | undefined;
}

/** A request of the victim that was answered, and its idempotency key. */
export interface Sent {
  readonly wire: Wire;
  readonly key: string;
}

/** Pairs of tries whose medians are compared, and how many more when those differ. */
const PAIRS = 3;
const PAIRS_IN_DOUBT = 15;

/** Asks for what is the victim's, by the credential of another tenant. */
export class Attacker {
  constructor(
    private readonly client: Client,
    private readonly self: Owner,
    private readonly victimId: string,
    private readonly findings: Findings,
    /** Other credentials for the attacker's tenant, by what they are. */
    private readonly credentials: Readonly<Record<string, string>> = {},
  ) {}

  /** Everything there is to try on one route. Throws Unexercised when it is of no use to its own owner. */
  async attack({ cursor, sent, ...target }: Target): Promise<void> {
    const { route } = target;
    const own = await this.self.filling(route);
    const [again, taken] = sent;
    const arsenal: Arsenal = { ...target, own, sent: again?.wire, tenantId: this.victimId };
    for (const duel of duelsOf(arsenal)) await this.fight(route, duel);
    for (const [name, credential] of Object.entries(this.credentials)) {
      for (const duel of shortDuelsOf(arsenal))
        await this.fight(route, { ...duel, what: `${duel.what}, by ${name}` }, credential);
    }
    if (own.ids.size > 0) await this.injectIntoOwn(route, own);
    if (taken) await this.useKey(route, taken);
    if (cursor !== undefined) await this.goOnFrom(cursor, arsenal);
    this.findings.search(route, 'own use', await this.self.exercise(route));
    await this.withoutCredential(arsenal);
    await this.self.tidy('');
  }

  private async fight(
    route: Route,
    { what, foreign, unknown, isTimed }: Duel,
    credential?: string,
  ): Promise<void> {
    const pairs: [Reply, Reply][] = [];
    const once = async (): Promise<void> => {
      const ask = (make: () => Wire) => (): Promise<Reply> => this.send(route, make(), credential);
      const pair = await pairOf(route, ask(foreign), ask(unknown), pairs.length % 2 === 0);
      this.findings.compare(route, what, pair);
      pairs.push(pair);
    };
    for (let pair = 0; pair < (isTimed ? PAIRS : 1); pair += 1) await once();
    if (!isTimed) return;
    for (let more = 0; this.findings.isSlower(pairs) && more < PAIRS_IN_DOUBT; more += 1) await once();
    this.findings.noteTimes(route, what, pairs);
  }

  /** The victim's tenant id beside objects of one's own: the effect must be on one's own, or nothing at all. */
  private async injectIntoOwn(route: Route, own: Filling): Promise<void> {
    // A change uses its object up; a look does not.
    const filling = async (): Promise<Filling> => (route.writes ? this.self.filling(route) : own);
    for (const { what, inject } of INJECTIONS_INTO_OWN) {
      const ask = async (tenantId: string): Promise<Reply> =>
        this.send(route, inject(route.request(await filling()), tenantId));
      const pair = await pairOf(
        route,
        () => ask(this.victimId),
        () => ask(newId()),
        true,
      );
      this.findings.compare(route, `${what}, own objects`, pair);
    }
  }

  /** An id that is taken, though not in this tenant: whoever chooses it must not be told. */
  private async choose(route: Route, place: string, id: string): Promise<void> {
    const ask = async (chosen: string): Promise<Reply> => {
      const own = await this.self.filling(route);
      return this.send(route, route.request({ ...own, ids: new Map([...own.ids, [place, chosen]]) }));
    };
    const what = `another tenant's id chosen at ${place}`;
    this.findings.compare(route, what, [await ask(id), await ask(newId())], [id]);
  }

  /**
   * Tries what leaves ids or texts of the victim's behind with the attacker: so when all else has been tried, and shown
   * nothing of them.
   */
  async borrow(target: Target): Promise<void> {
    for (const [place, id] of target.chosen) await this.choose(target.route, place, id);
    await this.repeat(target);
  }

  /** The victim's own request, key and all, where it names no object: it acts for the attacker, and is no replay. */
  private async repeat({ route, theirs, sent: [again] }: Target): Promise<void> {
    if (!again || theirs.ids.size > 0) return;
    const { wire, key } = again;
    const reply = await this.send(route, withKey(wire, key));
    const what = "another tenant's request and key";
    if (reply.headers['idempotency-replayed']) this.findings.leak(route, what, 'are answered by a replay');
    this.findings.search(route, what, reply, textsIn(wire));
  }

  /** One's own request under a key of the victim's acts, and is not answered with what the victim was told. */
  private async useKey(route: Route, { key }: Sent): Promise<void> {
    const what = "another tenant's idempotency key";
    const reply = await this.send(route, withKey(route.request(await this.self.filling(route)), key));
    this.findings.search(route, what, reply);
    if (reply.headers['idempotency-replayed']) this.findings.leak(route, what, 'is answered by a replay');
    if (!this.self.isExpected(route, reply)) this.findings.leak(route, what, describeReply(reply));
  }

  private async goOnFrom(cursor: string, { route, own }: Arsenal): Promise<void> {
    const ask = (after: string): Promise<Reply> =>
      this.send(route, route.request({ ...own, options: { after } }));
    const pair = [await ask(cursor), await ask('never-handed-out')] as const;
    this.findings.compare(route, "another tenant's cursor", pair);
  }

  private async withoutCredential({ route, theirs, own }: Arsenal): Promise<void> {
    const foreign = await this.client.send(route.request(theirs));
    const unknown = await this.client.send(route.request({ ...theirs, ids: own.ids }));
    this.findings.compare(route, 'no credential', [foreign, unknown]);
    if (foreign.status !== 401) this.findings.leak(route, 'no credential', describeReply(foreign));
  }

  private async send(route: Route, wire: Wire, credential = this.self.tenant.key): Promise<Reply> {
    const reply = await this.client.use(route, wire, credential);
    this.self.note(route, reply);
    return reply;
  }
}

/** So often a look is taken again whose two answers differ: what is written behind requests may have come between. */
const LOOKS_MAX = 3;

/**
 * The answers to two requests. They are sent by turns, since the first of a kind is the one that finds caches cold. A
 * difference that is gone when one looks again was none that the asker makes.
 */
async function pairOf(
  { writes }: Route,
  foreign: () => Promise<Reply>,
  unknown: () => Promise<Reply>,
  isForeignFirst: boolean,
): Promise<[Reply, Reply]> {
  for (let looks = 1; ; looks += 1) {
    const first = await (isForeignFirst ? foreign() : unknown());
    const second = await (isForeignFirst ? unknown() : foreign());
    const pair: [Reply, Reply] = isForeignFirst ? [first, second] : [second, first];
    if (writes || looks === LOOKS_MAX || judgeForeignAnswer(...pair).length === 0) return pair;
  }
}

/** What an answer may repeat, since it was sent. */
function textsIn(wire: Wire): string[] {
  return JSON.stringify(wire.body ?? null).match(/canary-[a-z]+/g) ?? [];
}
