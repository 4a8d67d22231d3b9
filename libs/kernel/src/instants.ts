import { z } from 'zod';
import { unlessMissing } from './required';

/** What both stores can hold: PostgreSQL goes further, ClickHouse's DateTime64 does not. */
const FIRST_YEAR = 1970;
const LAST_YEAR = 2199;

/** What both stores read: fractions to the microsecond, and PostgreSQL's range of offsets. */
const STORABLE = /^[^.]*(?:\.\d{1,6})?(?:Z|[+-](?:0\d|1[0-5]):[0-5]\d)$/;

/**
 * A point in time as RFC 3339 text with an offset, kept as text: a Date would drop the microseconds that an event's time
 * has, and a page that is cut at it would lose or repeat a row.
 */
export const instantSchema = z.iso
  .datetime({
    offset: true,
    error: unlessMissing('An instant is RFC 3339 text with an offset, such as 2026-11-20T10:00:00Z.'),
  })
  .regex(STORABLE, 'An instant has at most six fractional digits and an offset within 15:59.')
  .refine(
    (text) => isBetween(new Date(text).getUTCFullYear()),
    `An instant lies in the years ${FIRST_YEAR} to ${LAST_YEAR}.`,
  )
  .meta({ description: 'RFC 3339 with an offset.', examples: ['2026-11-20T10:00:00Z'] });

function isBetween(year: number): boolean {
  return year >= FIRST_YEAR && year <= LAST_YEAR;
}
