import { z } from 'zod';
import { dayView, digitsView, effectiveDateSchema } from '../ledger-values';

const daySchema = effectiveDateSchema.meta({
  description: 'The last day that is closed, in UTC.',
  examples: ['2026-10-31'],
});

/** Through which day to close. */
export const closePeriodInput = z.strictObject({ through: daySchema });

/** Through which day the books stay closed; null opens all of them. */
export const reopenPeriodInput = z.strictObject({ through: daySchema.nullable() });

/** Which days take bookings. */
export const periodView = z.object({
  closedThrough: dayView.nullable().meta({
    description: 'The last closed day. Nothing can be dated to it or before. Null: none is closed.',
  }),
  closableThrough: dayView.meta({
    description:
      'The last day that can be closed: one ends at midnight UTC, and can be closed an hour later.',
  }),
  revision: digitsView.meta({ description: 'Counts the changes.' }),
});
export type PeriodView = z.output<typeof periodView>;

/** The columns of a tenant's books, as their statements name them. */
export interface BooksRow {
  readonly closed_through: string | null;
  readonly closable_through: string;
  readonly revision: bigint;
}

/** The period as callers see it. */
export function showPeriod(row: BooksRow): PeriodView {
  return {
    closedThrough: row.closed_through,
    closableThrough: row.closable_through,
    revision: String(row.revision),
  };
}
