import { assetSchema, instantSchema } from '@holdfast/kernel';
import { pageInput } from '@holdfast/cqrs';
import { z } from 'zod';
import { entryView } from '../accounts/account-entries.query';
import { balancesView } from '../accounts/account';
import { normalBalanceSchema } from '../ledger.events';
import { digitsView, instantView } from '../ledger-values';

/** Of which time a statement is, and which of its entries to show. */
export const statementInput = z
  .strictObject({
    from: instantSchema
      .optional()
      .meta({ description: 'What was booked at this instant or later. Otherwise from the beginning.' }),
    to: instantSchema.optional().meta({
      description:
        'What was booked before this instant. Otherwise, and at most, until now. What is booked is seen once it is committed, so the last moments before now may still get entries.',
    }),
    ...pageInput,
  })
  .refine(({ from, to }) => from === undefined || to === undefined || Date.parse(from) <= Date.parse(to), {
    path: ['to'],
    error: 'The end is before the beginning.',
  });
export type StatementInput = z.output<typeof statementInput>;

/** The totals of the account at an edge of the statement or of a page, and the version that it had there. */
export const statementEdgeView = z.object({
  version: digitsView,
  balance: digitsView.meta({ description: 'Posted, positive on the normal side. Below 0: `-5`.' }),
  balances: balancesView,
});
export type StatementEdge = z.output<typeof statementEdgeView>;

/** What the statement adds up to: the difference of its closing and its opening balances. */
export const statementTotalsView = z.object({
  postedDebits: digitsView,
  postedCredits: digitsView,
  entries: digitsView,
});

/** An entry of a statement, which names the other account as people do. */
export const statementEntryView = entryView.extend({
  counterpartyCode: z.string(),
  balance: digitsView.meta({ description: 'Posted, after the entry; positive on the normal side.' }),
});
export type StatementEntry = z.output<typeof statementEntryView>;

/**
 * A statement without its entries. `opening` and `closing` are those of the whole; a page opens where the one before it has
 * closed, the first with `opening` and the last one closes with `closing`.
 */
export const statementHeadView = z.object({
  accountId: z.guid(),
  code: z.string(),
  asset: assetSchema,
  normalBalance: normalBalanceSchema,
  from: instantView,
  to: instantView,
  opening: statementEdgeView,
  closing: statementEdgeView,
  totals: statementTotalsView,
  pageOpening: statementEdgeView,
  pageClosing: statementEdgeView,
});
export type StatementHead = z.output<typeof statementHeadView>;

/** A statement as JSON: its head, and a page of its entries, the first first. */
export const statementView = statementHeadView.extend({
  data: z.array(statementEntryView),
  nextCursor: z.string().nullable(),
});
export type StatementView = z.output<typeof statementView>;
