import { z } from 'zod';

/** What became of so many events, in one place. */
export const ingestCountView = z.object({
  lane: z.string().meta({ description: 'The store, such as `clickhouse`; empty at the door.' }),
  outcome: z.string().meta({
    description:
      '`received`, `recovered`, `stored`, `dropped`, `in_flight`, `spilled` or `replayed`. `recovered` are events that a process had not told of before it was killed, and that were found on its disk.',
  }),
  reason: z.string().meta({ description: 'Why events were dropped; else empty.' }),
  count: z.int(),
});

/** As a tenant is told it. */
export type IngestCount = z.output<typeof ingestCountView>;

/**
 * What a process found on its disk the one before it had told as spilled: the two are one, and nothing that was recovered. Where more was
 * found than told, the rest stays recovered.
 */
export function overRestarts(counts: readonly IngestCount[]): IngestCount[] {
  const of = (lane: string, outcome: string): number =>
    counts.find((count) => count.lane === lane && count.outcome === outcome)?.count ?? 0;
  const lanes = [...new Set(counts.map(({ lane }) => lane))];
  const folded = lanes.flatMap((lane) => {
    const onDisk = of(lane, 'spilled') - of(lane, 'recovered');
    return [
      { lane, outcome: 'recovered', reason: '', count: Math.max(0, -onDisk) },
      { lane, outcome: 'spilled', reason: '', count: Math.max(0, onDisk) },
    ].filter(({ count }) => count > 0);
  });
  const others = counts.filter(({ outcome }) => outcome !== 'spilled' && outcome !== 'recovered');
  const key = ({ lane, outcome, reason }: IngestCount): string => [lane, outcome, reason].join(' ');
  return [...others, ...folded].toSorted((one, other) => (key(one) < key(other) ? -1 : 1));
}
