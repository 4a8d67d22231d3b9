/**
 * What came of a request. `delivered` is an answer 2xx, `status` any other, `redirect` one of 3xx, which is not followed, and
 * `gone` 410. The rest got no answer.
 */
export type PostOutcome =
  | 'delivered'
  | 'status'
  | 'redirect'
  | 'gone'
  | 'address_refused'
  | 'name_unknown'
  | 'name_server_failed'
  | 'connection_refused'
  | 'connection_lost'
  | 'connect_timeout'
  | 'timeout'
  | 'tls'
  | 'headers_too_large'
  | 'malformed_answer'
  | 'failed';

/** The address that a connection was to go to is not one that requests of tenants go to. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
  readonly code = 'HOLDFAST_ADDRESS_REFUSED';
}

/** The name leads to no address. */
export class NameUnknown extends Error {
  override readonly name = 'NameUnknown';
  readonly code = 'HOLDFAST_NAME_UNKNOWN';
}

const DNS_NOTHING = new Set(['ENODATA', 'ENOTFOUND', 'EBADNAME']);

/** Whether a name server has said that there is nothing, rather than nothing at all. */
export function isDnsNothing(error: unknown): boolean {
  return DNS_NOTHING.has(codeOf(error));
}

/** What the codes of Node, its name resolver, OpenSSL and undici amount to. */
const OUTCOMES: Readonly<Record<string, PostOutcome>> = {
  HOLDFAST_ADDRESS_REFUSED: 'address_refused',
  HOLDFAST_NAME_UNKNOWN: 'name_unknown',
  ECONNREFUSED: 'connection_refused',
  EHOSTUNREACH: 'connection_refused',
  ENETUNREACH: 'connection_refused',
  ECONNRESET: 'connection_lost',
  EPIPE: 'connection_lost',
  UND_ERR_SOCKET: 'connection_lost',
  ETIMEDOUT: 'connect_timeout',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  UND_ERR_ABORTED: 'timeout',
  UND_ERR_HEADERS_OVERFLOW: 'headers_too_large',
  ETIMEOUT: 'name_server_failed',
  ESERVFAIL: 'name_server_failed',
  EREFUSED: 'name_server_failed',
};

/** What a failure to get an answer amounts to. Its text is shown to nobody: it may name what stands in our network. */
export function outcomeOfError(error: unknown): PostOutcome {
  const { name = '' } = (error ?? {}) as { readonly name?: string };
  if (name === 'AbortError' || name === 'TimeoutError') return 'timeout';
  if (name === 'HTTPParserError') return 'malformed_answer';
  const code = codeOf(error);
  const known = OUTCOMES[code];
  if (known) return known;
  return /^ERR_(?:TLS|SSL)|CERT|SIGNATURE|^EPROTO$/.test(code) ? 'tls' : 'failed';
}

/** What an answer amounts to. */
export function outcomeOfStatus(status: number): PostOutcome {
  if (status >= 200 && status < 300) return 'delivered';
  if (status === 410) return 'gone';
  return status >= 300 && status < 400 ? 'redirect' : 'status';
}

function codeOf(error: unknown): string {
  const { code, cause } = (error ?? {}) as { readonly code?: unknown; readonly cause?: unknown };
  if (typeof code === 'string') return code;
  return cause === undefined ? '' : codeOf(cause);
}
