import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a browser may be told that it may send: names of headers. */
const NAMES = /^[\w\-, ]{1,1000}$/;
const A_DAY_S = 86_400;

/**
 * Lets pages of every origin send: a write key is public, and nothing here reads a cookie. The origin is named instead of `*` because
 * beacons are sent with credentials, and browsers then take no star.
 */
export function allowOrigin(request: IncomingMessage, response: ServerResponse): void {
  const { origin } = request.headers;
  if (origin === undefined) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-allow-credentials', 'true');
  response.setHeader('access-control-expose-headers', 'retry-after');
  response.setHeader('vary', 'origin');
}

/** Tells a browser that asks, before it sends, whether it may. */
export function allowMethods(request: IncomingMessage, response: ServerResponse): void {
  const names = request.headers['access-control-request-headers'];
  if (names !== undefined && NAMES.test(names)) response.setHeader('access-control-allow-headers', names);
  response.setHeader('access-control-allow-methods', 'POST');
  response.setHeader('access-control-max-age', A_DAY_S);
}
