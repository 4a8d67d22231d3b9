/** What a tree is made of: an event, and the event that caused it. */
export interface Link {
  readonly id: string;
  readonly causation_id: string | null;
}

/** An event and how far it is below the request. */
export interface Placed<L> {
  readonly link: L;
  readonly depth: number;
}

/**
 * Orders events as the tree that their causes make: each behind its cause, siblings by id, which is by time. Depth 0 is what has
 * no cause among them. Each comes once, also where causes point in a circle, which nothing of ours writes.
 */
export function treeOf<L extends Link>(links: readonly L[]): Placed<L>[] {
  const known = new Map(links.map((link) => [link.id, link]));
  const sorted = [...known.values()].toSorted((one, other) => (one.id < other.id ? -1 : 1));
  const children = Map.groupBy(sorted, ({ causation_id: cause }) =>
    cause !== null && known.has(cause) ? cause : '',
  );
  const placed: Placed<L>[] = [];
  const seen = new Set<string>();
  // A stack and no recursion: a chain may be as long as there are events.
  const place = (roots: readonly L[]): void => {
    const waiting = roots.map((link) => ({ link, depth: 0 })).toReversed();
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      if (seen.has(next.link.id)) continue;
      seen.add(next.link.id);
      placed.push(next);
      const { depth } = next;
      const below = children.get(next.link.id) ?? [];
      waiting.push(...below.map((link) => ({ link, depth: depth + 1 })).toReversed());
    }
  };
  place(children.get('') ?? []);
  place(sorted.filter(({ id }) => !seen.has(id)).slice(0, 1));
  return placed;
}

/**
 * At most `max` of a tree: the event itself, what led to it and what came of it before everything else. The order stays.
 */
export function prune<L extends Link>(
  tree: readonly Placed<L>[],
  id: string,
  max: number,
): readonly Placed<L>[] {
  if (tree.length <= max) return tree;
  const near = new Set([...ancestorsOf(tree, id), ...descendantsOf(tree, id)].slice(0, max));
  let room = max - near.size;
  return tree.filter(({ link }) => near.has(link.id) || room-- > 0);
}

function ancestorsOf<L extends Link>(tree: readonly Placed<L>[], id: string): string[] {
  const causes = new Map(tree.map(({ link }) => [link.id, link.causation_id]));
  const found = new Set<string>();
  for (let at: string | null | undefined = id; at && causes.has(at) && !found.has(at); at = causes.get(at))
    found.add(at);
  return [...found];
}

function descendantsOf<L extends Link>(tree: readonly Placed<L>[], id: string): string[] {
  const start = tree.findIndex(({ link }) => link.id === id);
  const depth = tree[start]?.depth ?? 0;
  const behind = tree.slice(start + 1);
  const end = behind.findIndex((placed) => placed.depth <= depth);
  return (end < 0 ? behind : behind.slice(0, end)).map(({ link }) => link.id);
}
