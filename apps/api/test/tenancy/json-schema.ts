import { newId } from '@holdfast/kernel';

/** What the suites read of a JSON Schema (2020-12, and OpenAPI's `example`). */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly example?: unknown;
  readonly examples?: readonly unknown[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[] | undefined;
  readonly oneOf?: readonly JsonSchema[] | undefined;
  readonly allOf?: readonly JsonSchema[];
}

/** How far a value has been given up: its own text, then the schema's example, then nothing at all. */
export const YIELDS_MAX = 2;

/** A reference to nothing: the property is left out. */
export const LEFT_OUT = '';

/** Where values come from that a schema cannot give. */
export interface Source {
  /** Marks every free text, so that whoever shows one is found. */
  readonly mark: string;
  /** The id of an object that exists, where the property names one; undefined where it names none. */
  readonly reference: (pointer: string, name: string) => string | undefined;
  /** How often the service has refused what stood at the pointer. */
  readonly yields: (pointer: string) => number;
}

let texts = 0;

/** A value that the schema allows, with every optional property in it. `undefined`: leave it out. */
export function valueOf(given: JsonSchema, source: Source, pointer = '', name = ''): unknown {
  const schema = flattened(given);
  const reference = source.reference(pointer, name);
  if (reference === LEFT_OUT) return undefined;
  if (reference !== undefined) return schema.type === 'array' ? [reference] : reference;
  if (schema.const !== undefined) return schema.const;
  if (schema.type === 'object' || schema.properties) return objectOf(schema, source, pointer);
  if (schema.default !== undefined) return schema.default;
  if (schema.type === 'array') return arrayOf(schema, source, pointer, name);
  if (schema.enum) return schema.enum[Math.min(source.yields(pointer), schema.enum.length - 1)];
  if (schema.type === 'boolean') return exampleOf(schema) ?? false;
  if (schema.type === 'integer' || schema.type === 'number')
    return exampleOf(schema) ?? Math.max(schema.minimum ?? 1, Math.min(1, schema.maximum ?? 1));
  if (schema.type === 'null') return null;
  return textOf(schema, source.mark, source.yields(pointer) > 0);
}

/** Joins what `allOf` asks for, and takes the first alternative that is not null. */
export function flattened(schema: JsonSchema): JsonSchema {
  const alternatives = schema.anyOf ?? schema.oneOf;
  const chosen = alternatives?.find(({ type }) => type !== 'null') ?? alternatives?.[0];
  return chosen
    ? { ...schema, anyOf: undefined, oneOf: undefined, default: undefined, ...flattened(chosen) }
    : schema;
}

function objectOf(schema: JsonSchema, source: Source, pointer: string): object {
  if (!schema.properties) return recordOf(schema, source, pointer);
  const entries = Object.entries(schema.properties)
    .filter(([name]) => schema.required?.includes(name) || source.yields(`${pointer}/${name}`) < YIELDS_MAX)
    .map(([name, inner]) => [name, valueOf(inner, source, `${pointer}/${name}`, name)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** One entry: of the values that the schema wants, or a text. */
function recordOf({ additionalProperties: values }: JsonSchema, source: Source, pointer: string): object {
  const wanted = typeof values === 'object' && Object.keys(values).length > 0 ? values : { type: 'string' };
  return { note: valueOf(wanted, source, `${pointer}/note`, 'note') };
}

/** Two objects, so that one of them can be another's; of plain values one is as good as many. */
function arrayOf(schema: JsonSchema, source: Source, pointer: string, name: string): unknown[] {
  const items = schema.items ?? {};
  const usual = flattened(items).type === 'object' ? 2 : 1;
  const length = Math.min(Math.max(schema.minItems ?? 0, usual), schema.maxItems ?? usual);
  return Array.from({ length }, (_, index) =>
    valueOf(items, source, `${pointer}/${String(index)}`, singular(name)),
  );
}

/** A text that says whose it is, wherever the schema leaves room for one. */
function textOf(schema: JsonSchema, mark: string, preferExample: boolean): unknown {
  const example = exampleOf(schema);
  if (preferExample && example !== undefined) return example;
  const number = String(++texts);
  const later = new Date(Date.now() + 3_600_000).toISOString();
  const written = [
    ...(schema.format === 'uuid' ? [newId()] : []),
    ...(schema.format === 'email' ? [`${mark}-${number}@example.org`] : []),
    ...(schema.format === 'uri' ? [`https://${mark}-${number}.example.org/`] : []),
    ...(schema.format?.startsWith('date') ? [] : [`Text of ${mark} ${number}`, `${mark}-${number}`]),
    ...[`https://${mark}-${number}.example.org/`, `${mark}-${number}@example.org`],
    ...[later, later.slice(0, 10), example, '1', newId(), 'a'],
  ];
  return written.find((text) => typeof text === 'string' && allows(schema, text)) ?? example;
}

function allows(schema: JsonSchema, text: string): boolean {
  const rules = [schema, ...(schema.allOf ?? [])];
  return rules.every(
    ({ pattern, minLength = 0, maxLength = Infinity }) =>
      text.length >= minLength &&
      text.length <= maxLength &&
      (pattern === undefined || new RegExp(pattern, 'u').test(text)),
  );
}

function exampleOf({ example, examples }: JsonSchema): unknown {
  return example ?? examples?.[0];
}

/** `accounts` to `account`, `entries` to `entry`. */
export function singular(noun: string): string {
  return noun
    .replace(/ies$/, 'y')
    .replace(/sses$/, 'ss')
    .replace(/(?<!s)s$/, '');
}
