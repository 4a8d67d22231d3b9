import { singular } from './json-schema';
import type { Kind } from './route';

/** Parameters that name a place in an object, as a tile in a log, and no object of their own. */
const PLACES = new Set(['level', 'path']);

/**
 * Addresses in another tenant, which whoever pays there names and is shown again: that they tell nothing of what is behind them is in
 * send-payment.command.int.spec.ts.
 */
const ADDRESSES = new Set(['toAccountId', 'toTenantId']);

/** Every kind of object that the paths of the document name. */
export class Kinds {
  private readonly kinds = new Map<string, Kind>();

  constructor(private readonly paths: readonly string[]) {}

  /** What stands at each parameter of a path, outermost first; parameters that name no object are left out. */
  ofPath(path: string): { readonly parameter: string; readonly kind: Kind }[] {
    return [...path.matchAll(/\/\{(\w+)\}/g)].flatMap(({ index, 1: parameter = '' }) => {
      const kind = PLACES.has(parameter) ? undefined : this.at(path.slice(0, index), parameter);
      return kind ? [{ parameter, kind }] : [];
    });
  }

  /**
   * The kind that a name ends with: `debitAccountId` names an account, `revokeApiKey` an API key. The longest wins, so
   * that `auditEvent` is an event of the audit trail.
   */
  named(name: string): Kind | undefined {
    const subject = ADDRESSES.has(name) ? undefined : /^(\w+?)Ids?$/.exec(name)?.[1];
    return subject === undefined ? undefined : this.ending(subject);
  }

  /** The same for a name that is the subject itself. */
  ending(subject: string): Kind | undefined {
    const wanted = subject.toLowerCase();
    const found = this.all()
      .filter(({ collection }) => !collection.startsWith('/v1/operator/'))
      .flatMap((kind) => namesOf(kind).map((name) => ({ name, kind })))
      .filter(({ name }) => wanted.endsWith(name))
      .toSorted((one, other) => other.name.length - one.name.length);
    return found[0]?.kind;
  }

  /** The kind whose collection the path is. */
  of(collection: string): Kind | undefined {
    return this.all().find((kind) => kind.collection === collection);
  }

  private all(): readonly Kind[] {
    return this.paths.flatMap((path) => this.ofPath(path).map(({ kind }) => kind));
  }

  private at(collection: string, identity: string): Kind | undefined {
    const known = this.kinds.get(collection);
    if (known) return known;
    const parents = this.ofPath(collection).map(({ kind }) => kind);
    // A part of an object, such as a file of an export, is listed by the object itself.
    if (!this.paths.includes(collection) && parents.length === 0) return undefined;
    const kind = { collection, identity, parents };
    this.kinds.set(collection, kind);
    return kind;
  }
}

/** `/v1/audit/events` has the names `event` and `auditevent`. */
function namesOf({ collection }: Kind): string[] {
  const words = collection
    .split('/')
    .filter((segment) => segment !== '' && segment !== 'v1' && !segment.startsWith('{'))
    .map((segment) => singular(segment.replaceAll('-', '')));
  return [words.slice(-1), words.slice(-2)].map((parts) => parts.join(''));
}
