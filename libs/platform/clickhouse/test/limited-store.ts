import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a statement says of itself in the address of its request: its parameters. */
export type Parameters = URLSearchParams;

/** A ClickHouse that is asked through this, and that gives up statements as a server gives up what takes too long. */
export class LimitedStore {
  private constructor(
    private readonly server: Server,
    /** For `CLICKHOUSE_URL`. */
    readonly url: string,
  ) {}

  /** Stands in front of the store at `url`; `isTooMuch` says of a statement's parameters whether it takes too long. */
  static async start(url: string, isTooMuch: (parameters: Parameters) => boolean): Promise<LimitedStore> {
    const behind = new URL(url);
    const server = createServer((asked, answer) => {
      const { searchParams } = new URL(asked.url ?? '/', behind);
      if (isTooMuch(searchParams)) {
        asked.resume();
        answer.writeHead(500, { 'x-clickhouse-exception-code': '159' });
        answer.end(
          'Code: 159. DB::Exception: Timeout exceeded: elapsed 270 seconds. (TIMEOUT_EXCEEDED) (version 26.7)',
        );
        return;
      }
      const { hostname, port } = behind;
      const { method, headers, url: path } = asked;
      const sent = request({ hostname, port, path, method, headers }, (answered) => {
        answer.writeHead(answered.statusCode ?? 500, answered.headers);
        answered.pipe(answer);
      });
      sent.on('error', () => answer.destroy());
      asked.pipe(sent);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return new LimitedStore(server, url.replace(behind.port, String(port)));
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
