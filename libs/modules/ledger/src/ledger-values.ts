import { z } from 'zod';

/** A total, an amount or a version on its way out: decimal digits, because JSON numbers lose integers above 2^53. */
export const digitsView = z
  .string()
  .meta({ description: 'A whole number in decimal digits.', examples: ['1234'] });

/** An instant on its way out, as the database writes it. */
export const instantView = z
  .string()
  .meta({ description: 'RFC 3339, UTC, to the microsecond.', examples: ['2026-11-20T17:28:19.123456Z'] });

/** A day on its way out. */
export const dayView = z.iso.date().meta({ description: 'A day, as YYYY-MM-DD.', examples: ['2026-11-20'] });

/** A day that something counts for. The years are those that a ledger can have, and every one of them PostgreSQL knows. */
export const effectiveDateSchema = z.iso
  .date()
  .refine((day) => day >= '1900-01-01' && day < '2200-01-01', 'A day lies in the years 1900 to 2199.')
  .meta({
    description: 'The day that it counts for, otherwise that of booking in UTC.',
    examples: ['2026-11-20'],
  });

/** Metadata as JSON at most: enough for references, and the 2,000 items of a batch stay below 8 MiB. */
const METADATA_CHARACTERS_MAX = 4_096;

/** What a tenant notes on an account or a transfer, as a JSON object. The ledger keeps it and never looks into it. */
export const metadataSchema = z
  .record(z.string(), z.unknown())
  .refine((metadata) => isStorable(JSON.stringify(metadata)), {
    error: `Metadata takes at most ${METADATA_CHARACTERS_MAX} characters as JSON, all of them whole and none NUL.`,
  })
  .meta({
    description: 'Your own notes, at most 4,096 characters as JSON.',
    examples: [{ invoice: '2026-114' }],
  });

/** Text that PostgreSQL can hold: no control characters, no half of a surrogate pair. */
export const codeSchema = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'Control characters are not allowed.')
  .meta({ description: 'Your own name for the account, unique among your accounts.', examples: ['cash'] });

/**
 * Whether PostgreSQL can hold the text as jsonb, which knows neither NUL nor half of a surrogate pair. JSON.stringify
 * writes both as escapes; behind an even number of backslashes an escape is one, behind an odd number it is text.
 */
function isStorable(json: string): boolean {
  if (json.length > METADATA_CHARACTERS_MAX) return false;
  return !/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/.test(json);
}
