import { type IngestCount, overRestarts } from './ingest-counts';

/** Sums over two processes: the first tells what is below, and is killed; the next one finds and stores `found`. */
function countsAfterKill(found: number): IngestCount[] {
  const of = (outcome: string, count: number): IngestCount => ({
    lane: 'clickhouse',
    outcome,
    reason: '',
    count,
  });
  return [
    { ...of('received', 140), lane: '' },
    of('in_flight', 10),
    of('recovered', found),
    of('replayed', found),
    // On the disk of the second there were as many, and are no more.
    of('spilled', 30),
    of('stored', 100 + found),
  ];
}

// The books of a tenant: received + recovered = stored + dropped + in flight + spilled, over restarts too.
describe('The counts of ingest', () => {
  it.each([
    ['as much as was told', 30, {}],
    ['more, of the minute that nobody told', 37, { recovered: 7 }],
    ['less, since that was replayed in that minute', 20, { spilled: 10 }],
  ])('balance over a process that was killed, whose disk has %s', (_, found, left) => {
    const counts = Object.fromEntries(
      overRestarts(countsAfterKill(found)).map((each) => [each.outcome, each.count]),
    );
    const others = { received: 140, stored: 100 + found, replayed: found, in_flight: 10 };
    expect(counts).toEqual({ ...others, ...left });
    const { recovered = 0, spilled = 0 } = counts;
    expect(140 + recovered).toBe(100 + found + 10 + spilled);
  });

  it('are those of each lane by itself, in order', () => {
    const of = (lane: string, outcome: string, count: number): IngestCount => ({
      lane,
      outcome,
      reason: '',
      count,
    });
    expect(
      overRestarts([of('clickhouse', 'spilled', 3), of('kafka', 'recovered', 2), of('', 'received', 1)]),
    ).toEqual([of('', 'received', 1), of('clickhouse', 'spilled', 3), of('kafka', 'recovered', 2)]);
  });
});
