import { newId } from '@holdfast/kernel';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { readEndless, readSubscription } from './endless';
import { flattened, type JsonSchema } from './json-schema';

/** Whose credential a route takes. */
export type Audience = 'tenant' | 'operator' | 'principal' | 'public';

/** A place of a request at which the id of an object stands. */
export interface Place {
  /** `path/id`, `body/items/0/debitAccountId`, `input/debitAccountId`. */
  readonly name: string;
  readonly kind: Kind;
}

/** Objects of a collection: `/v1/ledger/accounts`, or `/v1/webhooks/{id}/deliveries` below a parent. */
export interface Kind {
  /** The path of the collection. */
  readonly collection: string;
  /** Property of an object that stands in its path. */
  readonly identity: string;
  /** What the collection's path itself names, outermost first. */
  readonly parents: readonly Kind[];
}

/** A request as it is sent. */
export interface Wire {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** The answer has no end: as much of it is read as comes at once. */
  readonly isEndless?: boolean;
  /** The body is a subscription: it goes over a socket, whose upgrade has the headers. */
  readonly isSubscription?: boolean;
}

/** What a request is made of, beside its route. */
export interface Filling {
  /** Marks the texts of whoever asks. */
  readonly mark: string;
  /** The id at each place, by the place's name. */
  readonly ids: ReadonlyMap<string, string>;
  /** Where a stream has to be named. */
  readonly stream?: string;
  /** Query parameters, or arguments, that may be left out. */
  readonly options?: Readonly<Record<string, unknown>>;
  readonly idempotencyKey?: string;
  /** What the body has to say, where the state of what it makes depends on it. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** One operation of OpenAPI, or one root field of GraphQL. */
export interface Route {
  readonly name: string;
  readonly protocol: 'rest' | 'graphql';
  readonly audience: Audience;
  readonly permission: string | undefined;
  readonly writes: boolean;
  /** Whether repeating the request needs a key; then A's keys are tried by B. */
  readonly isIdempotent: boolean;
  /** What the route makes, where it makes something. */
  readonly creates: Kind | undefined;
  /** Optional parameters that take a text: filters. */
  readonly filters: readonly string[];
  /** The parameter that takes a cursor, when there is one. */
  readonly isPaged: boolean;
  /** Where ids of objects stand that exist already, in the order of the request. */
  places(): readonly Place[];
  /** Where the asker chooses the id of a new object. */
  chosenIds(): readonly Place[];
  request(filling: Filling): Wire;
  /** Where the version is shown that the request has to name; undefined where it names none. */
  versionAt(wire: Wire): string | undefined;
  /** The same request, naming that version. */
  withVersion(wire: Wire, etag: string): Wire;
  /** Remembers the places that the service has refused, so that the next request has something else there. */
  yield(pointers: readonly string[]): boolean;
}

/** An answer as the matrix looks at it. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly body: unknown;
  readonly ms: number;
}

/** Sends requests into the application, without a socket, and counts them. */
export class Client {
  sent = 0;

  constructor(private readonly app: NestFastifyApplication) {}

  /** Sends a request for a route, naming the version that its object has now, if the credential is shown one. */
  async use(route: Route, wire: Wire, credential?: string): Promise<Reply> {
    const url = route.versionAt(wire);
    if (url === undefined) return this.send(wire, credential);
    const { headers } = await this.send({ method: 'GET', url }, credential);
    const { etag } = headers;
    return this.send(typeof etag === 'string' ? route.withVersion(wire, etag) : wire, credential);
  }

  async send(wire: Wire, credential?: string): Promise<Reply> {
    const { method, url, headers, body, isEndless } = wire;
    this.sent += 1;
    const began = performance.now();
    if (wire.isSubscription)
      return { ...(await readSubscription(this.app, wire, credential)), ms: performance.now() - began };
    const answer = await this.app.inject({
      method,
      url,
      headers: {
        ...(credential !== undefined && { authorization: `Bearer ${credential}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { payload: JSON.stringify(body) }),
      ...(isEndless && { payloadAsStream: true }),
    });
    const ms = performance.now() - began;
    const { statusCode: status } = answer;
    if (isEndless) return { status, headers: answer.headers, ...(await readEndless(answer)), ms };
    // One JSON document: what has one a line is a text.
    const isJson = /[/+]json\b/.test(String(answer.headers['content-type']));
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.body,
      body: isJson ? answer.json() : undefined,
      ms,
    };
  }
}

interface Fault {
  readonly pointer: string;
}
interface GraphqlError {
  readonly extensions?: { readonly code?: string; readonly errors?: readonly Fault[] };
}

/** Whether the request did what it asked for. */
export function isDone({ status, body }: Reply): boolean {
  return status >= 200 && status < 300 && !(body as { errors?: unknown } | undefined)?.errors;
}

/** The stable code of a refusal, over either protocol. */
export function codeOf({ status, body }: Reply): string | undefined {
  const refusal = (body ?? {}) as { code?: string; errors?: readonly GraphqlError[] };
  return refusal.errors?.[0]?.extensions?.code ?? (status >= 400 ? refusal.code : undefined);
}

/** JSON Pointers of what the service found wrong with the input. */
export function faultsOf({ body }: Reply): readonly string[] {
  const { errors = [] } = (body ?? {}) as { errors?: readonly (Fault & GraphqlError)[] };
  return errors.flatMap((error) => error.extensions?.errors ?? error).flatMap(({ pointer }) => pointer ?? []);
}

/** How often each place has been refused. An index of an array stands for all of them. */
export class Yields {
  private readonly counts = new Map<string, number>();

  of(pointer: string): number {
    return this.counts.get(general(pointer)) ?? 0;
  }

  /** Answers whether there is anything else to try. */
  add(pointers: readonly string[]): boolean {
    for (const pointer of pointers) this.counts.set(general(pointer), this.of(pointer) + 1);
    return pointers.length > 0;
  }
}

function general(pointer: string): string {
  return pointer.replaceAll(/\/\d+(?=\/|$)/g, '/*');
}

/** An id that nobody has: of the same form as the one that it stands for. */
export function unknownLike(id: string, mark: string): string {
  return id.replace(UUID, newId()).replace(mark, 'canary-nobody');
}

/** Whether an id is a secret at all: a file of an export has the name of such files everywhere. */
export function isSecret(id: string, mark: string): boolean {
  return UUID.test(id) || id.includes(mark);
}

/** A UUID anywhere in a text. */
export const UUID = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/i;

/** Whether the schema is of an id. */
export function isId(schema: JsonSchema): boolean {
  return flattened(schema).format === 'uuid';
}
