import { type Commitment, commitmentTo, openingOf, type PersonalValue } from '@holdfast/vault';
import { z } from 'zod';

/** A field of a payload that names a person: what its values look like, and whose they are. */
export interface PersonalField {
  readonly name: string;
  readonly value: z.ZodType;
  /** `stream`: whose id the stream has. Otherwise the field of the same payload that holds the person's id. */
  readonly subject: string;
}

/** What the mark of a personal field holds. */
interface Mark {
  readonly value: z.ZodType;
  readonly subject: string;
}

const marks = new WeakMap<z.ZodType, Mark>();

const DESCRIPTION =
  'Personal: the base64url of SHA-256 over 2, a salt of 32 bytes and the value in canonical JSON. Salt and value stand aside, ' +
  'and are gone once the person is erased.';

/**
 * A field of a payload that names a person: announced with a `value`, and in the log for ever as a commitment to it. What it
 * said is kept aside, in the vault, until its subject is erased. The field may be `nullable` or `optional`; it stands at the
 * top of the payload. `subject` is `stream` where the stream's id is the person's, or names the field that holds it.
 */
export function personal<S extends z.ZodType>(
  value: S,
  { subject }: { readonly subject: string },
): z.ZodType<Commitment, z.input<S>> {
  const stored = z
    .object({ commitment: z.string().length(43) })
    .meta({ description: DESCRIPTION, 'x-personal': { subject } });
  marks.set(stored, { value, subject });
  return stored as unknown as z.ZodType<Commitment, z.input<S>>;
}

/** The personal fields of a payload's schema. Throws where one says that its subject is in a field that is not there. */
export function personalFieldsOf(schema: z.ZodType): readonly PersonalField[] {
  if (!(schema instanceof z.ZodObject)) return [];
  const shape = schema.shape as Readonly<Record<string, z.ZodType>>;
  return Object.entries(shape).flatMap(([name, field]) => {
    const mark = marks.get(bare(field));
    if (!mark) return [];
    if (mark.subject !== 'stream' && !(mark.subject in shape))
      throw new Error(`${name} is of ${mark.subject}, which is no field of the payload`);
    return [{ name, ...mark }];
  });
}

/**
 * The payload as it is stored, and what its commitments open to. A field without a value stays without: that there is none
 * says nothing that could be taken back.
 */
export function committed(
  fields: readonly PersonalField[],
  event: { readonly id: string; readonly streamId: string },
  payload: unknown,
): { readonly stored: unknown; readonly values: readonly PersonalValue[] } {
  if (fields.length === 0) return { stored: payload, values: [] };
  const given = payload as Readonly<Record<string, unknown>>;
  const stored: Record<string, unknown> = { ...given };
  const values = fields.flatMap(({ name, value, subject }) => {
    if (given[name] === null || given[name] === undefined) return [];
    const opening = openingOf(value.parse(given[name]));
    stored[name] = commitmentTo(opening);
    const whose = subject === 'stream' ? event.streamId : String(given[subject]);
    return [{ ...opening, eventId: event.id, path: name, subject: whose }];
  });
  return { stored, values };
}

/** The schema without what only says that there may be nothing. */
function bare(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodNullable || schema instanceof z.ZodOptional
    ? bare(schema.unwrap() as z.ZodType)
    : schema;
}
