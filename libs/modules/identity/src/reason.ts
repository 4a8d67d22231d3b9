import { z } from 'zod';

/** Why the operator does something to a tenant. The tenant reads it; no event carries it, because it is free text. */
export const reasonSchema = z
  .string()
  .trim()
  .min(10)
  .max(500)
  .meta({ description: 'Why; shown to the tenant.', examples: ['Ticket 4711: a transfer is missing'] });
