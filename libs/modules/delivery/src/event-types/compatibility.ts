import { isDeepStrictEqual } from 'node:util';
import type { JsonSchema } from './event-schema';

/** What describes a payload without deciding which payloads there are. */
const ANNOTATIONS = new Set([
  '$schema',
  '$comment',
  'title',
  'description',
  'examples',
  'default',
  'deprecated',
]);
/** Keywords whose value is a schema, a list of schemas in which places count, or schemas by name. */
const NESTED = new Set(['items', 'additionalProperties', 'propertyNames', 'contains', 'not']);
const LISTED = new Set(['anyOf', 'oneOf', 'allOf', 'prefixItems']);
const NAMED = new Set(['$defs', 'patternProperties']);

/**
 * What a change of a published schema would break, one line each; empty when the change may be made within the version.
 *
 * The schema of a published version is frozen, in both directions: what was recorded stays valid, and what readers rely
 * on stays promised. Wider is as wrong as narrower, since a reader that knows two words is as lost with a third as the
 * log is with one less. Two changes are free: annotations, and a further optional property of an object whose other
 * properties were not open before (there, recorded payloads may have that name with anything under it).
 */
export function breaksOf(published: JsonSchema, current: JsonSchema, at = 'data'): string[] {
  const keywords = new Set([...Object.keys(published), ...Object.keys(current)]);
  return [...keywords].toSorted().flatMap((keyword) => {
    const [before, after] = [published[keyword], current[keyword]];
    if (ANNOTATIONS.has(keyword)) return [];
    if (keyword === 'properties') return breaksOfProperties(published, current, at);
    if (keyword === 'required') return breaksOfRequired(published, current, at);
    if (NESTED.has(keyword) && isSchema(before) && isSchema(after))
      return breaksOf(before, after, `${at}/${keyword}`);
    if (LISTED.has(keyword) && areSchemas(before) && areSchemas(after) && before.length === after.length)
      return before.flatMap((schema, index) =>
        breaksOf(schema, after[index] ?? {}, `${at}/${keyword}/${index}`),
      );
    if (NAMED.has(keyword) && isSchema(before) && isSchema(after))
      return breaksByName(before, after, `${at}/${keyword}`);
    return isDeepStrictEqual(before, after)
      ? []
      : [`${at}: ${keyword} was ${textOf(before)} and would be ${textOf(after)}`];
  });
}

function breaksOfProperties(published: JsonSchema, current: JsonSchema, at: string): string[] {
  const [before, after] = [propertiesOf(published), propertiesOf(current)];
  const added = Object.keys(after).filter((name) => !(name in before));
  const isOpen = published['additionalProperties'] !== undefined;
  return [
    ...Object.entries(before).flatMap(([name, schema]) => {
      const kept = after[name];
      return kept ? breaksOf(schema, kept, `${at}.${name}`) : [`${at}.${name} would be gone`];
    }),
    ...(isOpen ? added.map((name) => `${at}.${name} may be in recorded payloads with any content`) : []),
  ];
}

function breaksOfRequired(published: JsonSchema, current: JsonSchema, at: string): string[] {
  const [before, after] = [namesIn(published), namesIn(current)];
  return [
    ...before
      .filter((name) => !after.includes(name) && name in propertiesOf(current))
      .map((name) => `${at}.${name} was always there and would not be`),
    ...after
      .filter((name) => !before.includes(name))
      .map((name) => `${at}.${name} would be required, and recorded payloads lack it`),
  ];
}

function breaksByName(before: JsonSchema, after: JsonSchema, at: string): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => {
    const [one, other] = [before[name], after[name]];
    return isSchema(one) && isSchema(other)
      ? breaksOf(one, other, `${at}/${name}`)
      : [`${at}/${name} was ${textOf(one)} and would be ${textOf(other)}`];
  });
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function areSchemas(value: unknown): value is readonly JsonSchema[] {
  return Array.isArray(value) && value.every(isSchema);
}

function propertiesOf({ properties }: JsonSchema): Readonly<Record<string, JsonSchema>> {
  return (properties ?? {}) as Record<string, JsonSchema>;
}

function namesIn({ required }: JsonSchema): readonly string[] {
  return (required ?? []) as readonly string[];
}

function textOf(value: unknown): string {
  return value === undefined ? 'absent' : JSON.stringify(value);
}
