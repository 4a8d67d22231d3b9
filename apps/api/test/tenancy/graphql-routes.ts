import { randomUUID } from 'node:crypto';
import {
  getNamedType,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLOutputType,
  type GraphQLSchema,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
} from 'graphql';
import { type JsonSchema, valueOf, YIELDS_MAX } from './json-schema';
import type { Kinds } from './kinds';
import { bodyOf, type Document } from './rest-routes';
import { type Filling, type Kind, type Place, type Route, type Wire, Yields } from './route';

/** Levels of objects that a query asks for: a connection's nodes, and a connection of theirs. */
const SELECTION_DEPTH_MAX = 7;
const PAGING = new Set(['first', 'after']);
/** What a mutation calls the version that its sender has read. */
const VERSIONS = new Set(['version', 'revision']);

/** Every root field of the schema. */
export function graphqlRoutes(schema: GraphQLSchema, document: Document, kinds: Kinds): GraphqlRoute[] {
  const rest = new RestSchemas(document);
  const roots = {
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
  };
  return (['query', 'mutation', 'subscription'] as const).flatMap((operation) => {
    const root = roots[operation];
    return Object.values(root?.getFields() ?? {}).map(
      (field) => new GraphqlRoute(operation, field, rest, kinds),
    );
  });
}

/** Fields below the roots that take arguments, and the permissions that they name. */
export function lookedUpFields(schema: GraphQLSchema): { name: string; permission: string | undefined }[] {
  const types = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const roots = new Set(types.map((type) => type?.name));
  return Object.values(schema.getTypeMap())
    .filter(isObjectType)
    .filter(({ name }) => !roots.has(name) && !name.startsWith('__'))
    .flatMap((type) => Object.values(type.getFields()).map((field) => ({ type, field })))
    .filter(({ field }) => field.args.length > 0)
    .map(({ type, field }) => ({
      name: `${type.name}.${field.name}`,
      permission: permissionIn(field.description),
    }));
}

/** A root field, asked for with everything that can be selected below it. */
export class GraphqlRoute implements Route {
  readonly protocol = 'graphql';
  readonly audience = 'tenant';
  readonly name: string;
  readonly permission: string | undefined;
  readonly writes: boolean;
  readonly isIdempotent: boolean;
  readonly creates: Kind | undefined;
  readonly filters: readonly string[];
  readonly isPaged: boolean;
  private readonly yields = new Yields();

  constructor(
    private readonly operation: 'query' | 'mutation' | 'subscription',
    private readonly field: GraphQLField<unknown, unknown>,
    private readonly rest: RestSchemas,
    private readonly kinds: Kinds,
  ) {
    this.name = `${operation} ${field.name}`;
    this.permission = permissionIn(field.description);
    this.writes = operation === 'mutation';
    this.isIdempotent = field.args.some(({ name }) => name === 'idempotencyKey');
    this.creates =
      this.writes && !field.args.some(({ name }) => name === 'id') ? kinds.ending(field.name) : undefined;
    this.isPaged = field.args.some(({ name }) => name === 'after');
    this.filters = field.args
      .filter((argument) => !isRequiredArgument(argument) && !PAGING.has(argument.name))
      .filter(({ type }) => ['String', 'ID'].includes(getNamedType(type).name))
      .map(({ name }) => name)
      .filter((name) => this.rest.isText(name));
  }

  places(): readonly Place[] {
    const places: Place[] = [];
    for (const argument of this.field.args) {
      const names = isIdType(argument.type) || argument.name === this.named?.identity;
      const kind = isRequiredArgument(argument) && names && this.kindOf(argument.name);
      if (kind) places.push({ name: argument.name, kind });
      this.content(argument, '', (pointer, name) => {
        const inner = this.kinds.named(name);
        if (inner) places.push({ name: `${argument.name}${pointer}`, kind: inner });
        return undefined;
      });
    }
    return places;
  }

  chosenIds(): readonly Place[] {
    const places: Place[] = [];
    const kind = this.kinds.ending(this.field.name);
    for (const argument of this.field.args) {
      this.content(argument, '', (pointer, name) => {
        if (kind && name === 'id') places.push({ name: `${argument.name}${pointer}`, kind });
        return undefined;
      });
    }
    return places;
  }

  request({ mark, ids, stream, options = {}, idempotencyKey }: Filling): Wire {
    const variables = this.chosen(options);
    for (const argument of this.field.args.filter(isRequiredArgument)) {
      const { name } = argument;
      if (name === 'idempotencyKey') variables[name] = idempotencyKey ?? randomUUID();
      else if (VERSIONS.has(name)) variables[name] = '1';
      else if (isInputObjectType(getNamedType(argument.type)))
        variables[name] = this.content(argument, mark, (pointer) => ids.get(`${name}${pointer}`));
      else if (name === 'stream' && stream !== undefined) variables[name] ??= stream;
      else variables[name] ??= ids.get(name) ?? this.plain(argument, mark);
    }
    return {
      method: 'POST',
      url: '/graphql',
      body: { query: this.document(variables), variables },
      ...(this.operation === 'subscription' && { isSubscription: true }),
    };
  }

  /** A subscription is read from where something is, and has no pages. */
  private chosen(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
    if (this.operation !== 'subscription') return { ...options };
    const { first: _, types, ...others } = options;
    return {
      ...(!('after' in options) && { from: 'beginning' }),
      ...(types !== undefined && { types: [types] }),
      ...others,
    };
  }

  versionAt({ body }: Wire): string | undefined {
    if (!this.field.args.some(({ name }) => VERSIONS.has(name))) return undefined;
    const { id } = (body as { variables: { id?: string } }).variables;
    const input = this.field.args.map(({ type }) => getNamedType(type)).find(isInputObjectType);
    if (id === undefined) return input && this.rest.versionedPath(input);
    const kind = this.kindOf('id');
    return kind && `${kind.collection}/${id}`;
  }

  withVersion(wire: Wire, etag: string): Wire {
    const { variables, ...rest } = wire.body as { variables: object };
    const name = Object.keys(variables).find((each) => VERSIONS.has(each)) ?? 'version';
    return { ...wire, body: { ...rest, variables: { ...variables, [name]: etag.replaceAll('"', '') } } };
  }

  yield(pointers: readonly string[]): boolean {
    const inside = pointers.map((pointer) => pointer.replace(/^\/input(?=\/)/, ''));
    return this.yields.add(inside.filter((pointer) => this.yields.of(pointer) < YIELDS_MAX));
  }

  /** Arguments that the schema does not know are put in as they are, and refused. */
  private document(variables: Readonly<Record<string, unknown>>): string {
    const names = Object.keys(variables);
    const types = new Map(this.field.args.map(({ name, type }) => [name, String(type)]));
    const declared = names.map((name) => `$${name}: ${types.get(name) ?? 'String'}`).join(', ');
    const passed = names.map((name) => `${name}: $${name}`).join(', ');
    const call = names.length > 0 ? `(${passed})` : '';
    const head = names.length > 0 ? `(${declared})` : '';
    return `${this.operation} Ask${head} { ${this.field.name}${call}${selectionOf(this.field.type, this.permission)} }`;
  }

  /** The kind that the field is called after: `eventType(type)` asks for one of them. */
  private get named(): Kind | undefined {
    return this.kinds.ending(this.field.name);
  }

  private kindOf(argument: string): Kind | undefined {
    if (argument === this.named?.identity) return this.named;
    if (argument !== 'id') return this.kinds.named(argument);
    return this.named ?? this.kinds.ending(getNamedType(this.field.type).name);
  }

  private plain({ name, type }: GraphQLArgument, mark: string): unknown {
    const schema = this.rest.parameter(name) ?? schemaOf(type);
    return valueOf(schema, this.source(mark), `/${name}`, name);
  }

  private content(
    { type }: GraphQLArgument,
    mark: string,
    reference: (pointer: string, name: string) => string | undefined,
  ): unknown {
    const input = getNamedType(type);
    if (!isInputObjectType(input)) return undefined;
    return valueOf(this.rest.input(input), { ...this.source(mark), reference });
  }

  private source(mark: string): Parameters<typeof valueOf>[1] {
    return { mark, reference: () => undefined, yields: (pointer) => this.yields.of(pointer) };
  }
}

/** What OpenAPI says about values that GraphQL only calls a String: both are made from the same schemas. */
class RestSchemas {
  private readonly bodies: readonly {
    readonly path: string;
    readonly isVersioned: boolean;
    readonly schema: JsonSchema;
  }[];
  private readonly parameters: ReadonlyMap<string, JsonSchema>;

  constructor({ paths }: Document) {
    const all = Object.entries(paths).flatMap(([path, operations]) =>
      Object.values(operations).map((operation) => ({ path, operation })),
    );
    const operations = all.map(({ operation }) => operation);
    this.bodies = all.flatMap(({ path, operation }) => {
      const isVersioned = (operation.parameters ?? []).some(({ name }) => name.toLowerCase() === 'if-match');
      const schema = bodyOf(operation);
      return schema ? [{ path, isVersioned, schema }] : [];
    });
    this.parameters = new Map(
      operations
        .flatMap(({ parameters = [] }) => parameters)
        .filter((parameter) => parameter.in === 'query')
        .map(({ name, schema }) => [name, schema]),
    );
  }

  parameter(name: string): JsonSchema | undefined {
    return this.parameters.get(name);
  }

  /** Whether the argument takes a free text: neither an instant nor one of a few words. */
  isText(name: string): boolean {
    const schema = this.parameters.get(name);
    return !schema || (!schema.enum && !schema.allOf && !schema.pattern?.includes('-02-29'));
  }

  /** The path of the object that the input changes, where a change names a version. */
  versionedPath(type: GraphQLInputObjectType): string | undefined {
    return this.likest(type, ({ isVersioned }) => isVersioned)?.path;
  }

  /** The body with most of the input's fields, cut to those that the input has. */
  input(type: GraphQLInputObjectType): JsonSchema {
    const body = this.likest(type)?.schema;
    const properties = Object.values(type.getFields()).map(
      (field) => [field.name, body?.properties?.[field.name] ?? schemaOf(field.type)] as const,
    );
    const required = Object.values(type.getFields())
      .filter((field) => isNonNullType(field.type))
      .map(({ name }) => name);
    return { type: 'object', properties: Object.fromEntries(properties), required };
  }

  private likest(
    type: GraphQLInputObjectType,
    filter: (body: RestSchemas['bodies'][number]) => boolean = () => true,
  ): RestSchemas['bodies'][number] | undefined {
    const names = Object.keys(type.getFields());
    const shared = ({ schema }: RestSchemas['bodies'][number]): number =>
      names.filter((name) => schema.properties?.[name]).length;
    return this.bodies.filter(filter).toSorted((one, other) => shared(other) - shared(one))[0];
  }
}

function schemaOf(type: GraphQLInputType): JsonSchema {
  if (isNonNullType(type)) return schemaOf(type.ofType);
  if (isListType(type)) return { type: 'array', items: schemaOf(type.ofType) };
  const { name } = getNamedType(type);
  const known: Readonly<Record<string, JsonSchema>> = {
    ID: { type: 'string', format: 'uuid' },
    Int: { type: 'integer' },
    Float: { type: 'number' },
    Boolean: { type: 'boolean' },
    JSONObject: { type: 'object' },
  };
  return known[name] ?? { type: 'string' };
}

function isIdType(type: GraphQLInputType): boolean {
  return getNamedType(type).name === 'ID';
}

/**
 * Every field that needs no arguments and no other permission than the root's, objects included, without going round in
 * circles.
 */
function selectionOf(
  output: GraphQLOutputType,
  permission: string | undefined,
  above: readonly string[] = [],
): string {
  const type = getNamedType(output);
  if (!isObjectType(type)) return '';
  const fields = Object.values(type.getFields())
    .filter(({ args }) => !args.some(isRequiredArgument))
    .filter(({ description }) => [permission, undefined].includes(permissionIn(description)))
    .filter(({ type: inner }) => {
      const { name } = getNamedType(inner);
      return (
        !isObjectType(getNamedType(inner)) || (above.length < SELECTION_DEPTH_MAX && !above.includes(name))
      );
    })
    .map((field) => `${field.name}${selectionOf(field.type, permission, [...above, type.name])}`);
  return ` { ${fields.join(' ')} }`;
}

function permissionIn(description: string | null | undefined): string | undefined {
  return /Needs `([^`]+)`\./.exec(description ?? '')?.[1];
}
