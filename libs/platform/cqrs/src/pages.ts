import { createHash } from 'node:crypto';
import { type Caller, DomainError } from '@holdfast/kernel';
import { z } from 'zod';

/** At most this many rows a page. */
const PAGE_MAX = 200;

/** The cursor is not one that this list has handed out to this tenant. */
export class CursorInvalid extends DomainError {
  readonly code = 'request.cursor_invalid';
  readonly kind = 'malformed';

  constructor() {
    super('The cursor in `after` is not one that this list has handed out.');
  }
}

/** A query string's digits as a number, so that one that is too small is called that. `Number` would take "0x10" and "1e1" as well. */
function decimal(given: unknown): unknown {
  return typeof given === 'string' && /^-?\d{1,9}$/.test(given) ? Number(given) : given;
}

/** A whole number in a query string, which is `standard` where it is left out. */
export function wholeNumber(
  description: string,
  { minimum, maximum, standard }: { minimum: number; maximum: number; standard: number },
) {
  return z
    .preprocess(decimal, z.int().min(minimum).max(maximum))
    .default(standard)
    .meta({ description, type: 'integer', minimum, maximum });
}

/** What every list takes. Spread into the list's own strict object. */
export const pageInput = {
  limit: wholeNumber('Rows on the page.', { minimum: 1, maximum: PAGE_MAX, standard: 50 }),
  after: z.string().max(1_000).optional().meta({ description: 'The nextCursor of the page before.' }),
};

/** One page of a keyset-paginated list; `nextCursor` is null on the last. In JSON: `{data, nextCursor}`. */
export class Page<Item> {
  readonly #cursorAt: (index: number) => string;

  constructor(
    readonly data: readonly Item[],
    readonly nextCursor: string | null,
    cursorAt: (index: number) => string,
  ) {
    this.#cursorAt = cursorAt;
  }

  /** The cursor behind one item, which Relay connections show at each edge. */
  cursorAt(index: number): string {
    return this.#cursorAt(index);
  }
}

/** The schema of a page for OpenAPI. */
export function pageOf<Item extends z.ZodType>(
  item: Item,
): z.ZodObject<{ data: z.ZodArray<Item>; nextCursor: z.ZodNullable<z.ZodString> }> {
  return z.object({ data: z.array(item), nextCursor: z.string().nullable() });
}

/**
 * The positions of one list. A cursor is opaque and carries a digest over tenant, list and position, so that one that is
 * altered, of another list or of another tenant is refused. The digest has no secret: a cursor only says where in the
 * caller's own list to go on, and row-level security decides what is there.
 */
export class Cursors<Position extends readonly string[]> {
  constructor(
    private readonly list: string,
    private readonly position: z.ZodType<Position>,
  ) {}

  encode(caller: Caller, position: Position): string {
    return Buffer.from(JSON.stringify([this.digest(caller, position), ...position])).toString('base64url');
  }

  /** The position, or undefined for the first page. Throws CursorInvalid. */
  decode(caller: Caller, cursor: string | undefined): Position | undefined {
    if (cursor === undefined) return undefined;
    try {
      const [digest, ...position] = z
        .array(z.string())
        .parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
      const parsed = this.position.parse(position);
      if (digest === this.digest(caller, parsed)) return parsed;
    } catch {
      throw new CursorInvalid();
    }
    throw new CursorInvalid();
  }

  private digest(caller: Caller, position: Position): string {
    return createHash('sha256')
      .update(JSON.stringify([caller.tenantId, this.list, ...position]))
      .digest('base64url')
      .slice(0, 16);
  }
}

/** A row that a list with filters has looked at: whether the filters let it pass, and whether the list looks no further for one page. */
export interface LookedAt {
  readonly isShown: boolean;
  readonly isLast: boolean;
}

/** Of rows in the order of their list those to show, and the last one that was looked at, if there may be more behind it. */
export function lookedAt<Row extends LookedAt>(
  rows: readonly Row[],
): { readonly shown: readonly Row[]; readonly last: Row | undefined } {
  const end = rows.findIndex(({ isLast }) => isLast);
  const looked = end === -1 ? rows : rows.slice(0, end + 1);
  return { shown: looked.filter(({ isShown }) => isShown), last: rows[end] };
}

/**
 * A page from `limit + 1` rows that were asked for: the one too many says that there is a next page, which begins behind
 * the last row shown. Where there is none, it begins behind `end`, the place up to which a list with filters has looked.
 */
export function page<Row, Item>(
  rows: readonly Row[],
  limit: number,
  show: (row: Row) => Item,
  cursorOf: (row: Row) => string,
  end: string | null = null,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const cursorAt = (index: number): string =>
    shown
      .slice(index, index + 1)
      .map(cursorOf)
      .join('');
  return new Page(shown.map(show), rows.length > limit ? cursorAt(shown.length - 1) : end, cursorAt);
}
