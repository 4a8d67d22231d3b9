import type { AuditEventView } from '../trail/audit-event-view';

/** The columns of a table of events, and what stands in them. */
const COLUMNS: readonly (readonly [string, (event: AuditEventView) => string])[] = [
  ['id', ({ id }) => id],
  ['occurredAt', ({ occurredAt }) => occurredAt],
  ['type', ({ type }) => type],
  ['schemaVersion', ({ schemaVersion }) => String(schemaVersion)],
  ['streamType', ({ stream }) => stream.type],
  ['streamId', ({ stream }) => stream.id],
  ['streamVersion', ({ stream }) => stream.version],
  ['actor', ({ actor }) => actor],
  ['act', ({ act }) => act ?? ''],
  ['requestId', ({ requestId }) => requestId],
  ['causationId', ({ causationId }) => causationId ?? ''],
  ['traceparent', ({ traceparent }) => traceparent ?? ''],
  ['outcome', ({ outcome }) => outcome],
  ['data', ({ data }) => JSON.stringify(data)],
];

/** What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection), wide forms and our own mark included. */
const FORMULA = /^[=+\-@\t\r\n'\uFF1D\uFF0B\uFF0D\uFF20]/;

/** A line of RFC 4180: every cell in quotes, the end CR LF. */
const csvLine = (cells: readonly string[]): string => `${cells.map(csvCell).join(',')}\r\n`;

/**
 * A cell that no spreadsheet takes for a formula: one that could be gets an apostrophe in front of it. Who reads the file with a program
 * takes one apostrophe away from the beginning of each cell that has one, and has the value.
 */
export const csvCell = (value: string): string =>
  `"${(FORMULA.test(value) ? `'${value}` : value).replaceAll('"', '""')}"`;

/** The first line. */
export const csvHeader = csvLine(COLUMNS.map(([name]) => name));

/** The line of an event. */
export const csvEvent = (event: AuditEventView): string => csvLine(COLUMNS.map(([, of]) => of(event)));
