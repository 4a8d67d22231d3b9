import { counter, gauge, type MetricNotes } from '@holdfast/observability';
import type { Accounting, Counts } from './accounting';
import { DROP_REASONS } from './tracked-event';

/** What is counted: the door, and a lane for each store. */
interface Counted {
  readonly door: Pick<Accounting, 'total'>;
  readonly lanes: readonly {
    readonly name: string;
    readonly accounting: Pick<Accounting, 'total'>;
    readonly fill: number;
    readonly isOpen: boolean;
    readonly spillBytes: number;
    readonly spillBytesMax: number;
  }[];
}

type Lane = Counted['lanes'][number];

// All are read off the accounting when Prometheus asks, so that its identity holds in every scrape.
let counted: Counted | undefined;

/** Shows the counts of this process's intake. */
export function countIntake(intake: Counted): void {
  counted = intake;
}

counter({
  name: 'holdfast_ingest_received_total',
  help: 'Events that requests brought, whatever became of them.',
  collect() {
    this.reset();
    this.inc(counted?.door.total.received ?? 0);
  },
});
counter({
  name: 'holdfast_ingest_dropped_total',
  help: 'Events that are not stored, by reason, and by the store that they are missing from; door: from all.',
  labels: ['lane', 'reason'],
  collect() {
    this.reset();
    if (!counted) return;
    const places = [{ name: 'door', accounting: counted.door }, ...counted.lanes];
    for (const { name, accounting } of places)
      for (const reason of DROP_REASONS) this.inc({ lane: name, reason }, accounting.total[reason]);
  },
});

countByLane({
  name: 'holdfast_ingest_recovered_total',
  help: 'Events that an earlier process had spilled, found at the start.',
  key: 'recovered',
});
countByLane({
  name: 'holdfast_ingest_stored_total',
  help: 'Events that are in the store.',
  key: 'stored',
});
countByLane({
  name: 'holdfast_ingest_replayed_total',
  help: 'Events that are in the store and came there from the disk.',
  key: 'replayed',
});
showByLane({
  name: 'holdfast_ingest_in_flight_rows',
  help: 'Events in memory, waiting or being stored.',
  read: (lane) => lane.accounting.total.in_flight,
});
showByLane({
  name: 'holdfast_ingest_spilled_rows',
  help: 'Events on the disk, while the store does not take them.',
  read: (lane) => lane.accounting.total.spilled,
});
showByLane({
  name: 'holdfast_ingest_spill_bytes',
  help: 'Bytes on the disk, while the store does not take them.',
  read: (lane) => lane.spillBytes,
});
showByLane({
  name: 'holdfast_ingest_spill_bytes_max',
  help: 'Bytes that may be on the disk before the oldest events are dropped.',
  read: (lane) => lane.spillBytesMax,
});
showByLane({
  name: 'holdfast_ingest_ring_fill',
  help: 'How full the memory of a store is, from 0 to 1.',
  read: (lane) => lane.fill,
});
showByLane({
  name: 'holdfast_ingest_breaker_open',
  help: 'Whether the store is left alone after failures in a row (1) or asked (0).',
  read: (lane) => Number(lane.isOpen),
});

function countByLane({ key, ...notes }: MetricNotes<'lane'> & { readonly key: keyof Counts }): void {
  counter({
    ...notes,
    labels: ['lane'],
    collect() {
      this.reset();
      for (const lane of counted?.lanes ?? []) this.inc({ lane: lane.name }, lane.accounting.total[key]);
    },
  });
}

function showByLane({
  read,
  ...notes
}: MetricNotes<'lane'> & { readonly read: (lane: Lane) => number }): void {
  gauge({
    ...notes,
    labels: ['lane'],
    collect() {
      this.reset();
      for (const lane of counted?.lanes ?? []) this.set({ lane: lane.name }, read(lane));
    },
  });
}
