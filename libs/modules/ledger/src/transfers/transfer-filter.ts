import { idSchema, instantSchema } from '@holdfast/kernel';
import { pageInput } from '@holdfast/cqrs';
import { z } from 'zod';
import { effectiveDateSchema } from '../ledger-values';
import { kindSchema, statusSchema } from './transfer';

/** Which transfers to list. */
export const transfersInput = z.strictObject({
  ...pageInput,
  accountId: idSchema.optional().meta({ description: 'Of this account, in the order of its versions.' }),
  kind: kindSchema.optional(),
  status: statusSchema.optional(),
  from: instantSchema.optional().meta({ description: 'Booked at this instant or later.' }),
  to: instantSchema.optional().meta({ description: 'Booked before this instant.' }),
  effectiveFrom: effectiveDateSchema
    .optional()
    .meta({ description: 'Counting for this day or a later one.' }),
  effectiveTo: effectiveDateSchema
    .optional()
    .meta({ description: 'Counting for this day or an earlier one.' }),
});
export type TransfersInput = z.output<typeof transfersInput>;
