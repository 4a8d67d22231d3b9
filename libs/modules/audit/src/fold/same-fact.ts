const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?(?:Z|[+-]\d\d:\d\d)$/;

/**
 * Whether a table holds what the fold says. An instant that is read as a Date ends at milliseconds, and is compared so. Of an
 * object the table may know more than events have told: only what the fold has is compared.
 */
export function isSameFact(folded: unknown, held: unknown): boolean {
  if (held instanceof Date) return typeof folded === 'string' && Date.parse(folded) === held.getTime();
  if (isInstant(folded) && isInstant(held)) return microsecondsOf(folded) === microsecondsOf(held);
  if (Array.isArray(folded) && Array.isArray(held))
    return folded.length === held.length && folded.every((each, index) => isSameFact(each, held[index]));
  if (isRecord(folded) && isRecord(held))
    return Object.entries(folded).every(([name, value]) => isSameFact(value, held[name]));
  return folded === held;
}

function isInstant(value: unknown): value is string {
  return typeof value === 'string' && INSTANT.test(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function microsecondsOf(instant: string): bigint {
  const fraction = INSTANT.exec(instant)?.[1] ?? '';
  const wholeSeconds = BigInt(Math.floor(Date.parse(instant) / 1_000));
  return wholeSeconds * 1_000_000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
}
