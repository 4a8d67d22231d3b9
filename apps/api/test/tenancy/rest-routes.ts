import { randomUUID } from 'node:crypto';
import { flattened, type JsonSchema, valueOf, YIELDS_MAX } from './json-schema';
import { type Kinds } from './kinds';
import {
  type Audience,
  type Filling,
  isId,
  type Kind,
  type Place,
  type Route,
  type Wire,
  Yields,
} from './route';

/** What the suites read of an OpenAPI document. */
export interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** One operation of it. */
export interface Operation {
  readonly tags?: readonly string[];
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly responses?: Readonly<Record<string, { readonly content?: object }>>;
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: JsonSchema }>> };
  readonly 'x-permission'?: string;
}

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required?: boolean;
  readonly schema: JsonSchema;
}

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
/** Parameters of every list, which filter nothing. */
const PAGING = new Set(['limit', 'after']);

/** What an object has as long as nobody has changed it: the best guess of whoever may not look. */
const FIRST_VERSION = '"1"';

/** Every operation of the document. */
export function restRoutes({ paths }: Document, kinds: Kinds): RestRoute[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    METHODS.filter((method) => operations[method]).map(
      (method) => new RestRoute(method, path, operations[method]!, kinds),
    ),
  );
}

/** The JSON that an operation takes. */
export function bodyOf(operation: Operation): JsonSchema | undefined {
  return operation.requestBody?.content['application/json']?.schema;
}

/** An operation of OpenAPI, with requests made from its schemas. */
export class RestRoute implements Route {
  readonly protocol = 'rest';
  readonly name: string;
  readonly audience: Audience;
  readonly permission: string | undefined;
  readonly writes: boolean;
  readonly isIdempotent: boolean;
  readonly creates: Kind | undefined;
  readonly filters: readonly string[];
  readonly isPaged: boolean;
  private readonly isEndless: boolean;
  private readonly body: JsonSchema | undefined;
  private readonly yields = new Yields();

  constructor(
    private readonly method: (typeof METHODS)[number],
    private readonly path: string,
    private readonly operation: Operation,
    private readonly kinds: Kinds,
  ) {
    this.name = `${method.toUpperCase()} ${path}`;
    this.audience = audienceOf(operation);
    this.permission = operation['x-permission'];
    this.writes = method !== 'get';
    this.body = bodyOf(operation);
    this.isIdempotent = this.takes('header', 'idempotency-key');
    this.creates = method === 'post' ? kinds.of(path) : undefined;
    this.isPaged = this.takes('query', 'after');
    this.isEndless = 'text/event-stream' in (operation.responses?.['200']?.content ?? {});
    this.filters = this.parameters('query')
      .filter(({ name, schema }) => !PAGING.has(name) && isText(schema))
      .map(({ name }) => name);
  }

  places(): readonly Place[] {
    const places = this.kinds
      .ofPath(this.path)
      .map(({ parameter, kind }) => ({ name: `path/${parameter}`, kind }));
    for (const { name, schema, required } of this.parameters('query')) {
      const kind = required && isId(schema) ? this.kinds.named(name) : undefined;
      if (kind) places.push({ name: `query/${name}`, kind });
    }
    this.content('', (pointer, name) => {
      const kind = this.kinds.named(name);
      if (kind) places.push({ name: `body${pointer}`, kind });
      return undefined;
    });
    return places;
  }

  chosenIds(): readonly Place[] {
    const places: Place[] = [];
    const kind = this.kinds.of(this.path.replace(/:\w+$/, ''));
    this.content('', (pointer, name) => {
      if (kind && name === 'id') places.push({ name: `body${pointer}`, kind });
      return undefined;
    });
    return places;
  }

  request(filling: Filling): Wire {
    const { ids, mark, stream, options = {} } = filling;
    const standing = (name: string, schema: JsonSchema): unknown =>
      ids.get(name) ?? valueOf(schema, this.source(mark));
    const path = this.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
      const parameter = this.parameters('path').find((each) => each.name === name);
      return encodeURIComponent(String(standing(`path/${name}`, parameter?.schema ?? {})));
    });
    const query = new URLSearchParams();
    // A stream is read from where something is; there are no pages to be asked for.
    if (this.isEndless && !('after' in options)) query.set('from', 'beginning');
    for (const [name, value] of Object.entries(options))
      if (!PAGING.has(name) || this.takes('query', name)) query.set(name, String(value));
    for (const { name, required, schema } of this.parameters('query')) {
      if (!required || query.has(name)) continue;
      const named = name === 'stream' ? stream : undefined;
      query.set(name, String(named ?? standing(`query/${name}`, schema)));
    }
    return {
      method: this.method.toUpperCase() as Wire['method'],
      url: query.size > 0 ? `${path}?${query.toString()}` : path,
      headers: {
        ...(this.isIdempotent && { 'idempotency-key': filling.idempotencyKey ?? randomUUID() }),
        ...(this.takes('header', 'if-match') && { 'if-match': FIRST_VERSION }),
      },
      ...(this.body && {
        body: withFields(
          this.content(mark, (pointer) => ids.get(`body${pointer}`)),
          filling.fields,
        ),
      }),
      ...(this.isEndless && { isEndless: true }),
    };
  }

  versionAt({ url }: Wire): string | undefined {
    return this.takes('header', 'if-match') ? url.split('?')[0] : undefined;
  }

  withVersion(wire: Wire, etag: string): Wire {
    return { ...wire, headers: { ...wire.headers, 'if-match': etag } };
  }

  yield(pointers: readonly string[]): boolean {
    return this.yields.add(pointers.filter((pointer) => this.yields.of(pointer) < YIELDS_MAX));
  }

  private content(mark: string, reference: (pointer: string, name: string) => string | undefined): unknown {
    return this.body && valueOf(this.body, { ...this.source(mark), reference });
  }

  private source(mark: string): Parameters<typeof valueOf>[1] {
    return { mark, reference: () => undefined, yields: (pointer) => this.yields.of(pointer) };
  }

  private parameters(place: Parameter['in']): readonly Parameter[] {
    return (this.operation.parameters ?? []).filter((parameter) => parameter.in === place);
  }

  private takes(place: Parameter['in'], name: string): boolean {
    return this.parameters(place).some((parameter) => parameter.name.toLowerCase() === name);
  }
}

function withFields(body: unknown, fields: Filling['fields']): unknown {
  return fields ? { ...(body as object), ...fields } : body;
}

function audienceOf({ security, tags }: Operation): Audience {
  if (tags?.includes('operator')) return 'operator';
  const [scheme] = (security ?? []).flatMap(Object.keys);
  if (scheme === undefined) return 'public';
  return scheme === 'credential' ? 'tenant' : (scheme as Audience);
}

function isText(schema: JsonSchema): boolean {
  const { type, enum: values, format, allOf, pattern = '' } = flattened(schema);
  // Instants and dates are written as patterns: they choose a time, not an object.
  return type === 'string' && !values && !format?.startsWith('date') && !allOf && !pattern.includes('-02-29');
}
