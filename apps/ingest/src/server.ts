import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import { allowOrigin, answerPreflight } from './cross-origin';

/** Answers a request; throws nothing. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Who answers under a path. */
export interface Routes {
  /** HEAD as well. */
  readonly get: ReadonlyMap<string, Handler>;
  readonly post: ReadonlyMap<string, Handler>;
}

const JSON_TYPE = 'application/json; charset=utf-8';
/** Longer than balancers keep a connection that nobody uses (60 s): they, and not we, end it, and lose no request by that. */
const KEEP_ALIVE_MS = 72_000;
const NOT_FOUND = JSON.stringify({ code: 'ingest.not_found', message: 'There is nothing at this path.' });

/** A server of Node's own: what a framework does for a request is a fifth of what ingest does for one. */
export function createHttpServer(options: ServerOptions, routes: Routes): Server {
  const server = createServer({ ...options, keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    // Who sends one request after the other would hold up the end of the process.
    if (!server.listening) response.shouldKeepAlive = false;
    allowOrigin(request, response);
    const { method } = request;
    if (method === 'OPTIONS') return answerPreflight(request, response);
    const handlers = method === 'POST' ? routes.post : routes.get;
    const isKnown = method === 'POST' || method === 'GET' || method === 'HEAD';
    const handle = isKnown ? handlers.get(pathOf(request)) : undefined;
    return handle ? handle(request, response) : sendJson(response, 404, NOT_FOUND);
  });
  return server;
}

/** Answers with JSON, in one write. */
export function sendJson(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, { 'content-type': JSON_TYPE, 'content-length': Buffer.byteLength(text) })
    .end(text);
}

function pathOf({ url = '/' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}
