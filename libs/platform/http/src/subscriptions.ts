import type { IncomingMessage } from 'node:http';
import { DomainError } from '@holdfast/kernel';
import type { MercuriusDriverConfig } from '@nestjs/mercurius';
import type { ArgumentsHost } from '@nestjs/common';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  OperationTypeNode,
  specifiedRules,
  validate,
  type ValidationRule,
} from 'graphql';
import { documentCost } from './graphql-cost';
import { type Refusal, refusalOf } from './problem';

/** What we use of a WebSocket: the driver that mercurius brings owns its type. */
interface Socket {
  readonly readyState: number;
  on(event: 'message' | 'close', listener: () => void): void;
  close(code: number, reason: string): void;
  terminate(): void;
}
interface SocketServer {
  readonly options: { maxPayload?: number };
  on(event: 'connection', listener: (socket: Socket, raw: IncomingMessage) => void): void;
}

/** The context of a subscription's resolvers. */
export interface SubscriptionContext {
  request: FastifyRequest;
  readonly socket: Socket;
}

/** A document of a subscription is one field; long filters fit as well. */
const MESSAGE_MAX_BYTES = 16_384;
/** A socket that carries no subscription for this long is closed: nobody has shown a credential on it. */
const IDLE_MAX_MS = 10_000;
/** So many that carry nothing, of one address and of all; beyond that the one that came first makes room. */
const SILENT_OF_ADDRESS_MAX = 10;
const SILENT_MAX = 100;
/** What was refused is told before its socket is closed. */
const REFUSED_CLOSE_MS = 100;
/** A client subscribes, unsubscribes and answers pings; so many messages at once, and that many a second. */
const MESSAGES_BURST = 50;
const MESSAGES_PER_SECOND = 10;
/** A client answers the closing of a socket at once; one that does not is cut. */
const CLOSING_MAX_MS = 1_000;

/** Close codes of graphql-transport-ws, and one of RFC 6455 for which its clients connect again. */
const IDLE = 4408;
const TOO_MANY = 4429;
const UNAUTHORIZED = 4401;
const RESTARTING = 1012;

/** The address has as many sockets that carry no subscription as it may. */
class TooManySockets extends DomainError {
  readonly code = 'graphql.too_many_sockets';
  readonly kind = 'too_many';
  override readonly retryAfterSeconds = 3;

  constructor() {
    super('Too many sockets of this address carry no subscription. Close some, or subscribe.');
  }
}

interface State {
  readonly address: string;
  readonly ends: Set<() => void>;
  idle: NodeJS.Timeout | undefined;
}

/** All sockets of one application. Whoever subscribes is counted as a stream; those that do not yet are few, and soon gone. */
class Sockets {
  private readonly open = new Map<Socket, State>();
  /** Those that carry nothing, in the order in which they fell silent. */
  private readonly silent = new Set<Socket>();
  private readonly addresses = new WeakMap<IncomingMessage, string>();
  private readonly servers = new WeakSet<SocketServer>();

  /** Before the upgrade. Throws TooManySockets. */
  admit({ raw, ip }: FastifyRequest): void {
    const ofAddress = [...this.silent].filter((socket) => this.open.get(socket)?.address === ip);
    if (ofAddress.length >= SILENT_OF_ADDRESS_MAX) throw new TooManySockets();
    this.addresses.set(raw, ip);
  }

  /** Looks after the sockets of a server, from its first on. */
  watch(server: SocketServer): void {
    if (this.servers.has(server)) return;
    this.servers.add(server);
    // Mercurius gives it a megabyte; it is read for each socket as it comes.
    server.options.maxPayload = MESSAGE_MAX_BYTES;
    server.on('connection', (socket, raw) => this.accept(socket, this.addresses.get(raw) ?? ''));
  }

  /** A subscription is under way: `end` is called when its socket closes. Answers how to say that it is over. */
  enter(socket: Socket, end: () => void): () => void {
    const state = this.open.get(socket);
    if (!state) {
      end();
      return () => {};
    }
    clearTimeout(state.idle);
    this.silent.delete(socket);
    state.ends.add(end);
    return () => {
      state.ends.delete(end);
      if (state.ends.size === 0) this.expectUse(socket);
    };
  }

  closeAll(): void {
    for (const socket of this.open.keys()) {
      socket.close(RESTARTING, 'this process stops; connect again');
      setTimeout(() => socket.terminate(), CLOSING_MAX_MS).unref();
    }
  }

  private accept(socket: Socket, address: string): void {
    const [oldest] = this.silent;
    if (oldest && this.silent.size >= SILENT_MAX) {
      this.silent.delete(oldest);
      oldest.terminate();
    }
    this.open.set(socket, { address, ends: new Set(), idle: undefined });
    this.expectUse(socket);
    let tokens = MESSAGES_BURST;
    let countedAtMs = performance.now();
    socket.on('message', () => {
      const nowMs = performance.now();
      tokens = Math.min(MESSAGES_BURST, tokens + ((nowMs - countedAtMs) / 1_000) * MESSAGES_PER_SECOND) - 1;
      countedAtMs = nowMs;
      if (tokens < 0) cut(socket, TOO_MANY, 'too many messages');
    });
    socket.on('close', () => {
      const state = this.open.get(socket);
      clearTimeout(state?.idle);
      this.open.delete(socket);
      this.silent.delete(socket);
      for (const end of state?.ends ?? []) end();
    });
  }

  private expectUse(socket: Socket): void {
    const state = this.open.get(socket);
    if (!state) return;
    this.silent.add(socket);
    state.idle = setTimeout(() => cut(socket, IDLE, 'nothing is subscribed'), IDLE_MAX_MS).unref();
  }
}

function cut(socket: Socket, code: number, reason: string): void {
  socket.close(code, reason);
  setTimeout(() => socket.terminate(), CLOSING_MAX_MS).unref();
}

declare module 'fastify' {
  interface FastifyInstance {
    subscriptionSockets: Sockets;
  }
}

/** Whether Node has taken the request for an upgrade, which says so in a field that its types do not know. */
export function isUpgrade({ raw }: FastifyRequest): boolean {
  return (raw as { readonly upgrade?: boolean }).upgrade === true;
}

/** Only what opens a socket at /graphql is an upgrade; whatever else asks for one (h2c, for instance) is served as it is. */
export function isSubscriptionUpgrade({ method, url = '', headers }: IncomingMessage): boolean {
  return (
    method === 'GET' && url.split('?')[0] === '/graphql' && headers.upgrade?.toLowerCase() === 'websocket'
  );
}

/** Admits sockets at /graphql within their number, and closes all of them when the application closes. */
export function guardSockets(fastify: FastifyInstance): void {
  const sockets = new Sockets();
  fastify.decorate('subscriptionSockets', sockets);
  fastify.addHook('preValidation', async (request) => {
    if (!isUpgrade(request)) return;
    sockets.admit(request);
    const { websocketServer } = request.server as { readonly websocketServer?: SocketServer };
    if (websocketServer) sockets.watch(websocketServer);
  });
  fastify.addHook('preClose', (done) => {
    sockets.closeAll();
    done();
  });
}

/**
 * Subscriptions over WebSocket (graphql-transport-ws). Queries and mutations are refused there: they have their limits at
 * POST. Each subscription is validated and reckoned like any document, and admitted by its own credential, that of the
 * upgrade or of `connection_init`.
 */
export function subscriptionOptions(rules: readonly ValidationRule[]): Required<
  Pick<MercuriusDriverConfig, 'hooks'>
> & {
  readonly subscription: NonNullable<MercuriusDriverConfig['subscription']>;
} {
  return {
    subscription: {
      fullWsTransport: false,
      context: (socket: unknown, request) => ({ socket, request }) as never,
    },
    hooks: {
      preSubscriptionExecution: (schema, document, context) => {
        const own = ownRequest((context as unknown as SubscriptionContext).request);
        own.cost = costOf(schema, document, rules);
        (context as unknown as SubscriptionContext).request = own;
      },
    },
  };
}

/** Each subscription of a socket has a request of its own: its credential is looked at for itself, and again while it runs. */
function ownRequest(upgrade: FastifyRequest): FastifyRequest {
  const own = {
    caller: undefined,
    readmit: undefined,
    limits: undefined,
    refusals: undefined,
    deadline: undefined,
  };
  const request = Object.assign(Object.create(upgrade) as FastifyRequest, own);
  Object.defineProperty(request, 'headers', { value: { ...upgrade.headers } });
  return request;
}

function costOf(schema: GraphQLSchema, document: DocumentNode, rules: readonly ValidationRule[]): number {
  // Mercurius runs subscriptions without a look at their documents.
  const [fault] = validate(schema, document, [...specifiedRules, ...rules], { maxErrors: 1 });
  if (fault) throw shownAs({ status: 400, code: 'graphql.invalid', detail: fault.message });
  try {
    return documentCost(schema, document, {});
  } catch (error) {
    throw subscriptionError(error);
  }
}

/** Whether the context is that of a subscription, whose request is the upgrade and has no reply. */
export function isSubscription(context: ArgumentsHost): boolean {
  if (context.getType<string>() !== 'graphql') return false;
  const info = context.getArgByIndex<GraphQLResolveInfo | undefined>(3);
  return info?.operation?.operation === OperationTypeNode.SUBSCRIPTION;
}

/** Tells a subscriber why there is no subscription. A credential that is none costs what it costs a request, and the socket. */
export function refuseSubscription(error: unknown, host: ArgumentsHost): GraphQLError {
  const { request, socket } = host.getArgByIndex<SubscriptionContext>(2);
  const refusal = subscriptionError(error);
  if (refusalOf(error).status === 401) {
    void request.chargeGuess?.();
    setTimeout(() => cut(socket, UNAUTHORIZED, 'the credential is not valid'), REFUSED_CLOSE_MS).unref();
  }
  return refusal;
}

/** What a subscriber is told about an error: what a caller over HTTP is told. */
function subscriptionError(error: unknown): GraphQLError {
  return error instanceof GraphQLError && error.extensions['code']
    ? error
    : shownAs(refusalOf(error instanceof GraphQLError ? (error.originalError ?? error) : error));
}

function shownAs({ detail, code, errors }: Refusal): GraphQLError {
  return new GraphQLError(detail, { extensions: { code, ...(errors && { errors }) } });
}

/**
 * Hands on what `items` gives for as long as the socket is open, and calls `end` when it closes. A subscription's resolver
 * answers with this.
 */
export function subscribed<T>(
  { socket, request }: SubscriptionContext,
  items: AsyncIterable<T>,
  end: () => void,
): AsyncGenerator<T, void, undefined> {
  const leave = request.server.subscriptionSockets.enter(socket, end);
  return handOn(items, leave);
}

async function* handOn<T>(items: AsyncIterable<T>, leave: () => void): AsyncGenerator<T, void, undefined> {
  try {
    yield* items;
  } catch (error) {
    throw error instanceof DomainError ? subscriptionError(error) : error;
  } finally {
    leave();
  }
}
