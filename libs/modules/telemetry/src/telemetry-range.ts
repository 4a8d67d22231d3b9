import { instantSchema } from '@holdfast/kernel';
import type { TelemetryStore } from '@holdfast/clickhouse';
import { z } from 'zod';
import { ROLLED_UP_UNTIL } from './rolled-up.sql';
import { RangeInverted, RangeTooLong, RangeTooWide } from './telemetry.errors';

/** Intervals in seconds, and how far back a series goes that names no beginning. */
export const INTERVALS = {
  minute: { seconds: 60, points: 60 },
  hour: { seconds: 3_600, points: 24 },
  day: { seconds: 86_400, points: 30 },
} as const;

/** A day of minutes, two months of hours, four years of days. */
const POINTS_MAX = 1_500;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** What reads rows, whatever the range: a month and a day over it, so that any month fits. */
const DAYS_MAX = 32;
/** A range that names no beginning. */
const DAYS_STANDARD = 7;

/** By which interval something is counted. */
export const intervalSchema = z.enum(['minute', 'hour', 'day']);

/** Beginning and end of what is read from rows. */
export const rangeInput = {
  from: instantSchema.optional().meta({ description: 'Beginning; absent: 7 days before the end.' }),
  to: instantSchema.optional().meta({ description: 'End, not included; absent: this instant.' }),
};

/** A half-open range, as text. */
export interface Range {
  readonly from: string;
  readonly to: string;
}

interface Bounds {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** The range of a series. Throws RangeInverted, and RangeTooLong rather than cutting a series short unseen. */
export function seriesRange(
  { interval, from, to }: Bounds & { readonly interval: z.output<typeof intervalSchema> },
  nowMs: number,
): Range {
  const { seconds, points } = INTERVALS[interval];
  const stepMs = seconds * 1_000;
  const endMs = to === undefined ? (Math.floor(nowMs / stepMs) + 1) * stepMs : Date.parse(to);
  const startMs = from === undefined ? endMs - points * stepMs : Date.parse(from);
  if (startMs > endMs) throw new RangeInverted();
  if (endMs - startMs > POINTS_MAX * stepMs) throw new RangeTooLong(POINTS_MAX);
  return { from: from ?? new Date(startMs).toISOString(), to: to ?? new Date(endMs).toISOString() };
}

/** The range of what reads rows. Throws RangeInverted and RangeTooWide. */
export function rowsRange({ from, to }: Bounds, nowMs: number): Range {
  const endMs = to === undefined ? nowMs : Date.parse(to);
  const startMs = from === undefined ? Math.max(0, endMs - DAYS_STANDARD * DAY_MS) : Date.parse(from);
  if (startMs > endMs) throw new RangeInverted();
  if (endMs - startMs > DAYS_MAX * DAY_MS) throw new RangeTooWide(DAYS_MAX);
  return { from: from ?? new Date(startMs).toISOString(), to: to ?? new Date(endMs).toISOString() };
}

/** Which whole hours of a range are read from roll-ups: none when both are the same. The rest is read from rows. */
export interface RolledUp {
  readonly rolled_from: string;
  readonly rolled_to: string;
  /** Whether the rest is long: then `final` tells copies apart, which merges whole days; see `tenant_rest`. */
  readonly is_long: 0 | 1;
}

/** Two hours are the edges of a range, and the one that is not over is a third. */
const SHORT_REST_MS = 6 * HOUR_MS;

/** Everything from rows. */
export function nothingRolledUp({ from, to }: Range): RolledUp {
  return { rolled_from: from, rolled_to: from, is_long: isLong(Date.parse(to) - Date.parse(from)) };
}

function isLong(restMs: number): 0 | 1 {
  return restMs > SHORT_REST_MS ? 1 : 0;
}

/**
 * The whole hours within the range that are rolled up. The boundary only moves forward, and what was behind it stays rolled up, so
 * a statement that is sent later may rely on what this answers.
 */
export async function rolledUpWithin(
  store: TelemetryStore,
  tenantId: string,
  { from, to }: Range,
): Promise<RolledUp> {
  const [row] = await store.read(tenantId, ROLLED_UP_UNTIL, {});
  return hoursWithin(from, to, row ? Date.parse(row.until) : 0);
}

/** The part of it that needs no store. */
export function hoursWithin(from: string, to: string, untilMs: number): RolledUp {
  // A Date cuts microseconds off, so an instant that has some belongs to an hour that is not whole.
  const isExact = !/\.\d{3}\d*[1-9]/.test(from);
  const fromMs = Date.parse(from) + (isExact ? 0 : 1);
  const first = Math.ceil(fromMs / HOUR_MS) * HOUR_MS;
  const last = Math.max(first, Math.floor(Math.min(Date.parse(to), untilMs) / HOUR_MS) * HOUR_MS);
  const at = (ms: number): string => new Date(ms).toISOString();
  const restMs = Date.parse(to) - Date.parse(from) - (last - first);
  return { rolled_from: at(first), rolled_to: at(last), is_long: isLong(restMs) };
}

/** The whole days within whole hours, which are read from roll-ups of days. */
export interface RolledUpDays {
  readonly days_from: string;
  readonly days_to: string;
}

/** The whole days within what is rolled up. A day is when its last hour is. */
export function daysWithin({ rolled_from: from, rolled_to: to }: RolledUp): RolledUpDays {
  const first = Math.ceil(Date.parse(from) / DAY_MS) * DAY_MS;
  const last = Math.max(first, Math.floor(Date.parse(to) / DAY_MS) * DAY_MS);
  // Without a whole day both stand at the end of the hours, so that hours before and after them are all hours.
  const whole = first < last ? [first, last] : [Date.parse(to), Date.parse(to)];
  const [days_from, days_to] = whole.map((ms) => new Date(ms).toISOString());
  return { days_from: days_from ?? to, days_to: days_to ?? to };
}
