/** Where the events of an ingest are, as its metrics say in one scrape: those that came in, and of one store's lane what became of them. */
export interface Books {
  readonly received: number;
  readonly recovered: number;
  /** By reason; those before the lane among them. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly stored: number;
  readonly inFlight: number;
  readonly spilled: number;
}

const LINE = /^(holdfast_ingest_\w+)(?:\{(.*)\})? (\S+)$/;

/** Reads the books of a lane out of the text of a scrape. */
export function booksOf(text: string, lane: string): Books {
  const sums: Record<string, number> = {};
  const dropped: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const [, name = '', labels = '', value = ''] = LINE.exec(line) ?? [];
    const of = /lane="(\w+)"/.exec(labels)?.[1];
    if (name === '' || (of !== undefined && of !== lane && of !== 'door')) continue;
    sums[name] = (sums[name] ?? 0) + Number(value);
    const reason = /reason="(\w+)"/.exec(labels)?.[1];
    if (name === 'holdfast_ingest_dropped_total' && reason && Number(value) > 0)
      dropped[reason] = (dropped[reason] ?? 0) + Number(value);
  }
  // A metric that is called otherwise would be 0 here, and every identity true.
  const read = (name: string): number => {
    const sum = sums[`holdfast_ingest_${name}`];
    if (sum === undefined)
      throw new Error(`ingest has no metric holdfast_ingest_${name} of the lane ${lane}`);
    return sum;
  };
  return {
    received: read('received_total'),
    recovered: read('recovered_total'),
    dropped,
    stored: read('stored_total'),
    inFlight: read('in_flight_rows'),
    spilled: read('spilled_rows'),
  };
}

/** How many events the books cannot account for: 0 at any instant. */
export function unaccounted(books: Books): number {
  const { received, recovered, stored, inFlight, spilled } = books;
  return received + recovered - droppedOf(books) - stored - inFlight - spilled;
}

/** All that was dropped, whatever the reason. */
export function droppedOf({ dropped }: Books): number {
  return Object.values(dropped).reduce((sum, count) => sum + count, 0);
}

/** The identity with its figures, for people. */
export function booksText(books: Books): string {
  const { received, recovered, stored, dropped, inFlight, spilled } = books;
  const reasons = Object.entries(dropped).map(([reason, count]) => `${reason} ${count}`);
  const lost = `dropped ${droppedOf(books)}${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}`;
  const off = unaccounted(books);
  return (
    `received ${received} + recovered ${recovered} = stored ${stored} + ${lost} + in flight ${inFlight} + spilled ${spilled}` +
    (off === 0 ? '' : `: OFF BY ${off}`)
  );
}
