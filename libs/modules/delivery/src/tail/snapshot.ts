/** Which transactions had committed at a moment, as PostgreSQL's pg_snapshot says it. */
export interface Snapshot {
  /** Every transaction below had ended. */
  readonly xmin: bigint;
  /** No transaction from here on had begun. */
  readonly xmax: bigint;
  /** Those between that were open, in ascending order. */
  readonly open: readonly bigint[];
}

/** The snapshot that shows nothing: PostgreSQL's first transaction is 3. It is that of tick 0. */
export const NOTHING: Snapshot = { xmin: 1n, xmax: 1n, open: [] };

/** Reads the text form, `xmin:xmax:xip,xip`. */
export function readSnapshot(text: string): Snapshot {
  const [xmin = '', xmax = '', open = ''] = text.split(':');
  return { xmin: BigInt(xmin), xmax: BigInt(xmax), open: open === '' ? [] : open.split(',').map(BigInt) };
}

/** Writes the text form. */
export function writeSnapshot({ xmin, xmax, open }: Snapshot): string {
  return `${xmin}:${xmax}:${open.join(',')}`;
}

/**
 * Whether the one was taken after the other, and shows more. Both are of one history: transactions only begin and end, so
 * the later one has a higher xmax, or fewer open transactions below the same.
 */
export function isLater(one: Snapshot, other: Snapshot): boolean {
  return one.xmax > other.xmax || (one.xmax === other.xmax && one.open.length < other.open.length);
}
