import type { LogFinding } from '@holdfast/audit';

/** The cells of a finding in a table: epoch, leaf, event, kind, what. */
export const findingCells = ({ kind, epoch, index, eventId, message }: LogFinding): string[] => [
  String(epoch),
  String(index ?? ''),
  eventId ?? '',
  kind,
  message,
];
