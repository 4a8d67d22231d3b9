import { GraphQLError, GraphQLScalarType, Kind, type ValueNode } from 'graphql';
import { exact } from './json-body';

/** Nesting of JSON given as literals in a query; variables are bound by the limits of the body. */
const DEPTH_MAX = 32;

/** A JSON object, for metadata and event payloads, whose fields the schema does not know. */
export const GraphQLJSONObject = new GraphQLScalarType({
  name: 'JSONObject',
  description: 'A JSON object.',
  serialize: asObject,
  parseValue: asObject,
  parseLiteral: (node, variables) => asObject(literal(node, variables ?? {}, 0)),
});

function asObject(value: unknown): Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new GraphQLError('a JSON object is wanted');
  return value as Record<string, unknown>;
}

/** Literals are held to what strict JSON allows in a body. */
function exactNumber(digits: string): number {
  const value = Number(digits);
  if (!exact(value)) throw new GraphQLError('a number is larger than JSON carries exactly; send it as text');
  return value;
}

function literal(node: ValueNode, variables: Readonly<Record<string, unknown>>, depth: number): unknown {
  if (depth > DEPTH_MAX) throw new GraphQLError(`JSON is nested deeper than ${DEPTH_MAX} levels`);
  switch (node.kind) {
    case Kind.OBJECT:
      if (node.fields.some((field) => field.name.value === '__proto__'))
        throw new GraphQLError('this key is not allowed');
      return Object.fromEntries(
        node.fields.map((field) => [field.name.value, literal(field.value, variables, depth + 1)]),
      );
    case Kind.LIST:
      return node.values.map((value) => literal(value, variables, depth + 1));
    case Kind.VARIABLE:
      return variables[node.name.value];
    case Kind.INT:
    case Kind.FLOAT:
      return exactNumber(node.value);
    case Kind.NULL:
      return null;
    case Kind.ENUM:
      throw new GraphQLError('JSON has no enums: put the text in quotes');
    default:
      return node.value;
  }
}
