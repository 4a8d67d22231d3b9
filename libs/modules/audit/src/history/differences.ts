/** One field that differs, by its JSON Pointer (RFC 6901). What is not there on one side has no member of that name. */
export interface Difference {
  readonly pointer: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Objects within objects that are looked into; below, and in arrays, values are compared as a whole. */
const DEPTH_MAX = 8;

/** The fields of the one state that differ from those of the other, in the order of their pointers. Arrays are one value. */
export function differencesOf(before: unknown, after: unknown): Difference[] {
  return [...compare('', before, after, 0)].toSorted((one, other) => (one.pointer < other.pointer ? -1 : 1));
}

function* compare(pointer: string, before: unknown, after: unknown, depth: number): Generator<Difference> {
  if (isObject(before) && isObject(after) && depth < DEPTH_MAX) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const path = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      yield* compare(path, own(before, key), own(after, key), depth + 1);
    }
  } else if (!isEqual(before, after))
    yield {
      pointer,
      ...(before !== undefined && { before }),
      ...(after !== undefined && { after }),
    };
}

function own(object: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Of JSON values, whatever the order of keys. */
function isEqual(one: unknown, other: unknown): boolean {
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((value, index) => isEqual(value, other[index]));
  if (!isObject(one) || !isObject(other)) return Object.is(one, other);
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isEqual(one[key], other[key]))
  );
}
