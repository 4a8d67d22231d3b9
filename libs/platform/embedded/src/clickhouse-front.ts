import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gunzipSync } from 'node:zlib';
import { buffer } from 'node:stream/consumers';
import type { ClickHouseConnection } from './chdb';

/** How a front listens. */
export interface ClickHouseFrontOptions {
  /** Port at 127.0.0.1; absent: a free one. */
  readonly port?: number;
  /** Password of its one user; absent: 24 random bytes. */
  readonly password?: string;
}

const USER = 'holdfast';

/** The largest request body: our largest batch (40,000 rows of ingest, 20 MB of characters) where each takes three bytes. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;

/** Parts of ClickHouse's HTTP interface that are not settings of the statement. */
const NOT_SETTINGS = new Set(['query', 'query_id', 'database', 'session_id', 'role', 'user', 'password']);

/** A refusal with the number that ClickHouse itself gives it (ErrorCodes.cpp). */
class FrontRefusal extends Error {
  override readonly name = 'FrontRefusal';

  constructor(
    readonly status: number,
    readonly code: string,
    readonly type: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * ClickHouse's HTTP interface over a connection to chDB, at the loopback address, behind a password.
 *
 * It exists because one chDB directory belongs to one process: through it a second local process (an `api` beside
 * `holdfast dev`, or the processes of a test) shares the store by `CLICKHOUSE_URL`. It speaks what `@clickhouse/client`
 * says: statements, scalar parameters, settings, inserts, gzip, errors, ping. It has no sessions, roles, databases to
 * choose, or compressed answers, and an answer is complete before its first byte is sent.
 */
export class ClickHouseFront {
  private constructor(
    private readonly server: Server,
    /** Answers that are not sent yet. */
    private readonly running: ReadonlySet<ServerResponse>,
    /** For `CLICKHOUSE_URL`; holds the password. */
    readonly url: string,
  ) {}

  /** Listens in front of a connection, which stays its owner's to close. Fails with EADDRINUSE when the port is taken. */
  static async start(
    connection: ClickHouseConnection,
    options: ClickHouseFrontOptions = {},
  ): Promise<ClickHouseFront> {
    const password = options.password ?? randomBytes(24).toString('base64url');
    const expected = `Basic ${Buffer.from(`${USER}:${password}`).toString('base64')}`;
    const running = new Set<ServerResponse>();
    const server = createServer((request, response) => {
      running.add(response);
      response.once('close', () => running.delete(response));
      // `serve` answers every failure itself; what is left is a client that hung up.
      serve(connection, expected, request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port ?? 0, '127.0.0.1', resolve);
    });
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : options.port;
    return new ClickHouseFront(server, running, `http://${USER}:${password}@127.0.0.1:${port}`);
  }

  /** Stops listening and waits for the statements that are running. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    await Promise.all([...this.running].map((response) => once(response, 'close')));
    // Node takes a connection that has brought no request yet for a busy one, and would wait for its headers for a minute.
    this.server.closeAllConnections();
    await closed;
  }
}

async function serve(
  connection: ClickHouseConnection,
  expected: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (url.pathname === '/ping') {
    response.end('Ok.\n');
    return;
  }
  try {
    authenticate(request, expected);
    if (url.pathname !== '/')
      throw new FrontRefusal(404, '48', 'NOT_IMPLEMENTED', 'There is nothing at this path');
    const answer = await connection.exec(statementOf(url.searchParams, await bodyOf(request)));
    response.setHeader('X-ClickHouse-Query-Id', answer.query_id);
    response.setHeader('X-ClickHouse-Summary', JSON.stringify(answer.summary ?? {}));
    await pipeline(answer.stream, response);
  } catch (error) {
    if (response.headersSent) throw error;
    refuse(response, error);
  }
}

function authenticate(request: IncomingMessage, expected: string): void {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  if (timingSafeEqual(digest(request.headers.authorization ?? ''), digest(expected))) return;
  throw new FrontRefusal(
    403,
    '516',
    'AUTHENTICATION_FAILED',
    'Authentication failed: the user or the password is wrong',
  );
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  const length = Number(request.headers['content-length'] ?? 0);
  if (length > BODY_BYTES_MAX) throw tooLarge();
  const body = await buffer(limited(request));
  if (encoding === 'identity') return body;
  if (encoding === 'gzip') return gunzipSync(body, { maxOutputLength: BODY_BYTES_MAX });
  throw new FrontRefusal(400, '48', 'NOT_IMPLEMENTED', 'Only gzip is spoken here');
}

async function* limited(request: IncomingMessage): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw tooLarge();
    yield chunk;
  }
}

const tooLarge = (): FrontRefusal => new FrontRefusal(413, '307', 'TOO_MANY_BYTES', 'The body is too large');

type StatementInput = Parameters<ClickHouseConnection['exec']>[0];

/** A statement in the URL takes the body as its rows; otherwise the body is the statement. */
function statementOf(search: URLSearchParams, body: Buffer): StatementInput {
  const database = search.get('database') ?? 'default';
  if (database !== 'default')
    throw new FrontRefusal(404, '81', 'UNKNOWN_DATABASE', 'Name the database in the statement');
  const inUrl = search.get('query');
  const parameters: Record<string, string | null> = {};
  // Over HTTP a statement without FORMAT answers in TabSeparated; chDB's own choice would be CSV.
  const settings: Record<string, string> = { default_format: 'TabSeparated' };
  for (const [name, value] of search) {
    if (name.startsWith('param_')) parameters[name.slice('param_'.length)] = unescapeParameter(value);
    else if (!NOT_SETTINGS.has(name)) settings[name] = value;
  }
  return {
    query: inUrl ?? body.toString('utf8'),
    query_params: parameters,
    clickhouse_settings: settings,
    query_id: search.get('query_id') ?? randomBytes(8).toString('hex'),
    ...(inUrl !== null && body.length > 0 ? { values: Readable.from([body]) } : {}),
  };
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', b: '\b', f: '\f', 0: '\0' };

/** A parameter travels in the form of a TabSeparated field: `\N` is null, and backslashes escape. */
function unescapeParameter(text: string): string | null {
  if (text === '\\N') return null;
  return text.replace(/\\(.)/gs, (_, escaped: string) => ESCAPES[escaped] ?? escaped);
}

function refuse(response: ServerResponse, error: unknown): void {
  const { status = 500, code = '1002', type = 'UNKNOWN_EXCEPTION' } = error as Partial<FrontRefusal>;
  const message = error instanceof Error ? error.message : String(error);
  response.statusCode = status;
  response.setHeader('X-ClickHouse-Exception-Code', code);
  response.setHeader('Connection', 'close'); // A body that was refused half-way is not read to its end.
  response.end(`Code: ${code}. DB::Exception: ${message.trim()} (${type})\n`);
}
