/** What can be measured, in the order in which all are. */
export const BENCH_NAMES = [
  'ledger',
  'rls',
  'events',
  'delivery',
  'audit',
  'ingest',
  'sagas',
  'telemetry-reads',
  'tlog',
  'noisy',
] as const;
