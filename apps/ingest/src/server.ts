import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { isTooLarge } from './bodies';
import { allowOrigin, allowMethods } from './cross-origin';

/** Answers a request; throws nothing. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Who answers under a path. */
export interface Routes {
  /** HEAD as well. */
  readonly get: ReadonlyMap<string, Handler>;
  readonly post: ReadonlyMap<string, Handler>;
}

/** Node sets it, and does not declare it. */
interface ServedSocket {
  readonly server?: Server;
}

const AUTHORITY = /^https?:\/\/[^/?]*/i;
const JSON_TYPE = 'application/json; charset=utf-8';
/** Longer than balancers keep a connection that nobody uses (60 s): they, and not we, end it, and lose no request by that. */
const KEEP_ALIVE_MS = 72_000;
const NOT_FOUND = JSON.stringify({ code: 'ingest.not_found', message: 'There is nothing at this path.' });

/** A server, and how it ends. */
export interface HttpServer {
  readonly server: Server;
  /** Takes nothing more, answers what is under way, and cuts what is not answered after `cutMs` milliseconds. */
  stop(cutMs: number): Promise<void>;
}

/** A server of Node's own: what a framework does for a request is a fifth of what ingest does for one. */
export function createHttpServer(options: ServerOptions, routes: Routes): HttpServer {
  // Node takes a connection that has brought no request yet, as browsers open them in advance, for a busy one.
  const silent = new Set<Socket>();
  const server = createServer({ ...options, keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    silent.delete(request.socket);
    allowOrigin(request, response);
    const { method } = request;
    if (method === 'OPTIONS') {
      allowMethods(request, response);
      return send(response, 204);
    }
    const handlers = method === 'POST' ? routes.post : routes.get;
    const isKnown = method === 'POST' || method === 'GET' || method === 'HEAD';
    const handle = isKnown ? handlers.get(pathOf(request)) : undefined;
    return handle ? handle(request, response) : sendJson(response, 404, NOT_FOUND);
  });
  // A body that is not going to be read is not asked for.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (!isTooLarge(request)) response.writeContinue();
    server.emit('request', request, response);
  });
  server.on('connection', (socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  const stop = async (cutMs: number): Promise<void> => {
    const cut = setTimeout(() => server.closeAllConnections(), cutMs);
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of silent) socket.destroy();
    await closed;
    clearTimeout(cut);
  };
  return { server, stop };
}

/** Answers with JSON, in one write. */
export function sendJson(response: ServerResponse, status: number, text: string): void {
  send(response, status, { 'content-type': JSON_TYPE, 'content-length': Buffer.byteLength(text) }, text);
}

function send(response: ServerResponse, status: number, headers: OutgoingHttpHeaders = {}, text = ''): void {
  // Asked as late as this: also a connection whose request was under way would hold up the end of the process, if it were kept.
  const { server } = (response.socket ?? {}) as ServedSocket;
  if (server?.listening === false) response.shouldKeepAlive = false;
  response.writeHead(status, headers).end(text);
}

/** Also where the whole URL is named, as senders behind a proxy may do. */
function pathOf({ url = '/' }: IncomingMessage): string {
  const begin = url.startsWith('/') ? 0 : (AUTHORITY.exec(url)?.[0].length ?? 0);
  const end = url.indexOf('?');
  return url.slice(begin, end < 0 ? undefined : end);
}
