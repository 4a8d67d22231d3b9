import type { z } from 'zod';
import { WrongUsage } from './failures';

/** Arguments, or the one that is named, checked by the schema that the API uses as well; throws WrongUsage with every fault. */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  name = '',
): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new WrongUsage(
    parsed.error.issues.map(({ path, message }) => `${path.join('.') || name}: ${message}`).join('\n'),
  );
}

/** A list of this many pages is read to its end; one that is longer wants a query, not a terminal. */
const PAGES_MAX = 500;

/** Everything on the pages of a list. */
export async function readAll<Item>(
  read: (
    after: string | undefined,
  ) => Promise<{ readonly data: readonly Item[]; readonly nextCursor: string | null }>,
): Promise<Item[]> {
  const all: Item[] = [];
  let after: string | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const { data, nextCursor } = await read(after);
    all.push(...data);
    if (nextCursor === null) return all;
    after = nextCursor;
  }
  throw new WrongUsage(`The list has more than ${PAGES_MAX} pages. Read it over HTTP.`);
}
