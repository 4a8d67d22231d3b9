import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/**
 * What a proxy does with connections: pass them on; refuse them, as a port does that nobody listens on; accept them and
 * stay silent; pass requests on and cut the connection instead of answering, each time or where the answer has a text
 * in it; or pass everything on, late.
 */
export type ProxyMode =
  'pass' | 'refuse' | 'hang' | 'cut-answers' | { readonly cutAt: string } | { readonly delayMs: number };

/**
 * A TCP proxy in front of a server at the loopback address, for faults of the network. It counts what it has done, so
 * that a test can tell whether its fault landed.
 */
export class TcpProxy {
  /** Connections that found no answer while hanging, and answers that were cut. */
  readonly counts = { hung: 0, cut: 0 };
  private current: ProxyMode = 'pass';
  private readonly sockets = new Set<Socket>();
  private server: Server | undefined;

  private constructor(
    private targetPort: number,
    /** Where it listens, at 127.0.0.1; stays the same over a refusal. */
    public port: number,
  ) {}

  /** Listens at a free port, and passes on. */
  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort, 0);
    await proxy.listen();
    return proxy;
  }

  /** Changes what is done. Connections that are open are cut when it refuses, and else obey from their next data on. */
  async set(mode: ProxyMode): Promise<void> {
    this.current = mode;
    if (mode === 'refuse') await this.close();
    else if (!this.server) await this.listen();
  }

  /** Leads to another server from here on, as a failover does; what is open is cut. */
  retarget(port: number): void {
    this.targetPort = port;
    this.cut();
  }

  /** Cuts the connections that are open; answers how many. */
  cut(): number {
    const { size } = this.sockets;
    for (const socket of this.sockets) socket.destroy();
    return size;
  }

  /** Stops listening and cuts what is open. */
  async close(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    this.cut();
    await closed;
  }

  private async listen(): Promise<void> {
    const server = createServer((client) => this.accept(client));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  private accept(client: Socket): void {
    const target = connect(this.targetPort, '127.0.0.1');
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      this.sockets.add(one);
      one.on('error', () => {}); // The other end hears of it by the close.
      one.on('close', () => {
        this.sockets.delete(one);
        // Behind what is still on its way to it.
        if (isLate(this.current)) setTimeout(() => other.end(), this.current.delayMs);
        else other.end();
      });
    }
    client.on('data', (chunk: Buffer) => this.forward(target, chunk));
    target.on('data', (chunk: Buffer) => {
      if (this.cuts(chunk)) {
        this.counts.cut += 1;
        client.destroy();
      } else this.forward(client, chunk);
    });
  }

  /** A text that lies across two chunks is missed, so whoever counts on a cut looks at the counts. */
  private cuts(answer: Buffer): boolean {
    const mode = this.current;
    return (
      mode === 'cut-answers' || (typeof mode === 'object' && 'cutAt' in mode && answer.includes(mode.cutAt))
    );
  }

  private forward(to: Socket, chunk: Buffer): void {
    const mode = this.current;
    if (mode === 'hang') this.counts.hung += 1;
    else if (isLate(mode)) setTimeout(() => to.write(chunk), mode.delayMs);
    else to.write(chunk);
  }
}

function isLate(mode: ProxyMode): mode is { readonly delayMs: number } {
  return typeof mode === 'object' && 'delayMs' in mode;
}
