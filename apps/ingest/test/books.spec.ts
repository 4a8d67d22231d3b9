import { booksOf, booksText, unaccounted } from './books';

const SCRAPE = `# HELP holdfast_ingest_received_total x
holdfast_ingest_received_total 10
holdfast_ingest_recovered_total{lane="clickhouse"} 2
holdfast_ingest_dropped_total{lane="door",reason="quota"} 3
holdfast_ingest_dropped_total{lane="clickhouse",reason="spill_full"} 1
holdfast_ingest_dropped_total{lane="kafka",reason="spill_full"} 7
holdfast_ingest_stored_total{lane="clickhouse"} 5
holdfast_ingest_stored_total{lane="kafka"} 1
holdfast_ingest_in_flight_rows{lane="clickhouse"} 2
holdfast_ingest_spilled_rows{lane="clickhouse"} 1
`;

describe('The books of a lane', () => {
  it('are those of one store, with what was dropped in front of all', () => {
    const books = booksOf(SCRAPE, 'clickhouse');
    expect(books).toEqual({
      received: 10,
      recovered: 2,
      dropped: { quota: 3, spill_full: 1 },
      stored: 5,
      inFlight: 2,
      spilled: 1,
    });
    expect(unaccounted(books)).toBe(0);
  });

  it('say how many events are missing', () => {
    const books = booksOf(SCRAPE.replace('received_total 10', 'received_total 11'), 'clickhouse');
    expect(unaccounted(books)).toBe(1);
    expect(booksText(books)).toContain('OFF BY 1');
  });

  it('are refused without a metric that they are made of', () => {
    expect(() => booksOf(SCRAPE.replaceAll('in_flight', 'under_way'), 'clickhouse')).toThrow(
      'in_flight_rows',
    );
  });
});
