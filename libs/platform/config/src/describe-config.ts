import type { z } from 'zod';
import { type App, type Configs, schemas } from './apps.config';
import { notesOf } from './variable';

/** A configuration by the names of its variables, fit to be printed: of URLs the password is hidden, of other secrets all. */
export function describeConfig<Name extends App>(app: Name, config: Configs[Name]): Record<string, unknown> {
  const fields = Object.entries(schemas[app].shape as Record<string, z.ZodType>);
  return Object.fromEntries(
    fields.map(([field, schema]) => {
      const { env, secret = false } = notesOf(schema);
      const value = (config as Readonly<Record<string, unknown>>)[field];
      return [env, secret ? redacted(value) : value];
    }),
  );
}

function redacted(value: unknown): unknown {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !URL.canParse(value)) return '[secret]';
  const url = new URL(value);
  if (url.password !== '') url.password = '***';
  // Drivers read passwords and keys from the query as well.
  url.search = url.search === '' ? '' : '?***';
  return url.href;
}
