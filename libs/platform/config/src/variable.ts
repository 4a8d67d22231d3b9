import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';

/** What is written down about a variable: the table in the README is made from it. */
export interface VariableNotes {
  /** The name in the environment; `<name>_FILE` is read as well. */
  readonly env: string;
  readonly meaning: string;
  /** Of the value, where it has one. */
  readonly unit?: string;
  /** What happens when the variable is absent or empty. */
  readonly whenEmpty: string;
  /** Whether the value, or a part of it, may never be printed. */
  readonly secret?: boolean;
}

/** Attaches its notes to a schema. Comes last: a schema that is made from this one does not carry them. */
export function variable<Schema extends z.ZodType>(schema: Schema, notes: VariableNotes): Schema {
  return schema.meta({ ...notes });
}

/** The notes of a variable; every field of a configuration has them. */
export function notesOf(schema: z.ZodType): VariableNotes {
  const notes = schema.meta();
  if (typeof notes?.['env'] !== 'string') throw new Error('a configuration field without its notes');
  return notes as unknown as VariableNotes;
}

/** A connection string of one of the given protocols. The message never repeats the value: it may hold a password. */
export function connectionString(...protocols: readonly string[]): z.ZodType<string> {
  const forms = protocols.map((protocol) => `${protocol}://`).join(' or ');
  return z
    .string()
    .refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol.slice(0, -1)), {
      error: `has to be a URL that begins with ${forms}`,
    });
}

/** Whether the text is an IP address, or a network in CIDR form. */
export function isNetwork(text: string): boolean {
  return [z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()].some((form) => form.safeParse(text).success);
}

/** A TCP port; 0 lets the kernel choose a free one. */
export const portNumber = z
  .string()
  .regex(/^\d{1,5}$/, {
    // Kubernetes sets HOLDFAST_PORT=tcp://… in every pod beside a Service called `holdfast`.
    error: (issue) =>
      String(issue.input).startsWith('tcp://')
        ? 'is an address that Kubernetes has set for a Service of that name: set enableServiceLinks: false on the pod'
        : 'has to be a port number from 0 to 65535',
  })
  .transform(Number)
  .refine((port) => port <= 65_535, { error: 'has to be a port number from 0 to 65535' });

/** A number within bounds, and what it is when nobody sets it. */
export function wholeNumber(min: number, max: number, fallback: number): z.ZodType<number> {
  return z
    .string()
    .regex(/^\d{1,9}$/, { error: 'has to be a whole number' })
    .transform(Number)
    .refine((number) => number >= min && number <= max, { error: `has to be from ${min} to ${max}` })
    .prefault(String(fallback));
}

/** Whether the text is an Ed25519 private key as PKCS #8, in PEM or base64. */
export function isEd25519(text: string): boolean {
  try {
    const key = text.includes('BEGIN')
      ? createPrivateKey(text)
      : createPrivateKey({ key: Buffer.from(text, 'base64'), format: 'der', type: 'pkcs8' });
    return key.asymmetricKeyType === 'ed25519';
  } catch {
    return false;
  }
}
