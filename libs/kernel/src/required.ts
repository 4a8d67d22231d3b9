import { z } from 'zod';

/** Whoever has left something out is not told of which type nothing is. */
const ABOUT_TYPES: ReadonlySet<string> = new Set(['invalid_type', 'invalid_value', 'invalid_union']);

// For all of the process, since a validator of Standard Schema is told no texts of its own.
z.config({
  customError: ({ code, input }) =>
    input === undefined && ABOUT_TYPES.has(code) ? 'It is required.' : undefined,
});

/** The text of a schema for what is there and wrong. */
export function unlessMissing(text: string): (issue: { readonly input: unknown }) => string | undefined {
  return ({ input }) => (input === undefined ? undefined : text);
}
