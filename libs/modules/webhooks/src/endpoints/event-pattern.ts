import { z } from 'zod';

const FORM = /^(?:\*|[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*){0,5}(?:\.\*)?)$/;

/** A type of event, all types below a prefix, or all there are. */
export const eventPattern = z
  .string()
  .max(200)
  .regex(FORM, 'A type such as ledger.transfer.posted, a prefix such as ledger.*, or *.')
  .meta({ examples: ['ledger.*'] });

/** Whether one of the patterns takes in the type. */
export function wants(patterns: readonly string[], type: string): boolean {
  return patterns.some((pattern) => {
    if (pattern === '*' || pattern === type) return true;
    return pattern.endsWith('.*') && type.startsWith(pattern.slice(0, -1));
  });
}
