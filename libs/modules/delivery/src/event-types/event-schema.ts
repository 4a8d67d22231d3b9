import { z } from 'zod';

/** A JSON Schema as an object. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * The JSON Schema (2020-12) of an event's payload, as readers are to hold it: open, because a payload may gain optional
 * properties within its version. What a schema of ours refuses to write, a reader does not have to refuse to read.
 */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: 'output',
    target: 'draft-2020-12',
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
}
