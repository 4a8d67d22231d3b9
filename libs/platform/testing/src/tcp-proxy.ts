import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TcpLane } from './tcp-lane';

/**
 * What a proxy does with connections: pass them on; refuse them, as a port does that nobody listens on; accept them and
 * stay silent; pass requests on and cut the connection instead of answering, each time or where the answer has a text
 * in it; or pass everything on, late, later by a random time each, or in pieces.
 *
 * A black hole passes nothing on, neither data nor the end of a connection, and loses nothing: as in a network that drops
 * packets for a while, what was sent meanwhile arrives once it is over.
 */
export type ProxyMode =
  | 'pass'
  | 'refuse'
  | 'hang'
  | 'blackhole'
  | 'cut-answers'
  | { readonly cutAt: string }
  | { readonly delayMs: number }
  | { readonly jitterMs: number }
  | { readonly sliceBytes: number };

/**
 * A TCP proxy in front of a server at the loopback address, for faults of the network. It counts what it has done, so
 * that a test can tell whether its fault landed.
 */
export class TcpProxy {
  /** Data that found no way while hanging, answers that were cut, data and connections that came into a black hole, data late and sliced. */
  readonly counts = { hung: 0, cut: 0, held: 0, late: 0, sliced: 0 };
  private current: ProxyMode = 'pass';
  private hole = Promise.withResolvers<void>();
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
    proxy.hole.resolve();
    await proxy.listen();
    return proxy;
  }

  /** Changes what is done. Connections that are open are cut when it refuses, and else obey from their next data on. */
  async set(mode: ProxyMode): Promise<void> {
    this.current = mode;
    this.hole.resolve();
    if (mode === 'blackhole') this.hole = Promise.withResolvers();
    if (mode === 'refuse') await this.close();
    else if (!this.server) await this.listen();
  }

  /** Connections that are open, to either side. */
  get open(): number {
    return this.sockets.size;
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
    this.hole.resolve();
    if (!server) return;
    const closed = new Promise((resolve) => server.close(resolve));
    this.cut();
    await closed;
  }

  private async listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (client) => void this.accept(client));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  private async accept(client: Socket): Promise<void> {
    this.note(client);
    if (this.current === 'blackhole') this.counts.held += 1;
    await this.hole.promise; // Before it, the server does not hear of the connection either.
    if (client.destroyed) return;
    const target = connect({ port: this.targetPort, host: '127.0.0.1', noDelay: true });
    this.note(target);
    const [there, back] = [this.laneTo(target), this.laneTo(client)];
    client.on('close', () => there.end());
    target.on('close', () => back.end());
    client.on('data', (chunk: Buffer) => this.forward(there, chunk));
    target.on('data', (chunk: Buffer) => {
      if (this.cuts(chunk)) {
        this.counts.cut += 1;
        client.destroy();
      } else this.forward(back, chunk);
    });
  }

  private note(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => {}); // The other end hears of it by the close.
    socket.on('close', () => this.sockets.delete(socket));
  }

  private laneTo(socket: Socket): TcpLane {
    return new TcpLane(socket, {
      passable: () => this.hole.promise,
      latenessMs: () => this.latenessMs(),
      sliceBytes: () => this.sliceBytes(),
    });
  }

  private latenessMs(): number {
    const mode = this.current;
    if (typeof mode !== 'object' || !('delayMs' in mode || 'jitterMs' in mode)) return 0;
    this.counts.late += 1;
    return 'delayMs' in mode ? mode.delayMs : Math.random() * mode.jitterMs;
  }

  private sliceBytes(): number | undefined {
    const mode = this.current;
    if (typeof mode !== 'object' || !('sliceBytes' in mode)) return undefined;
    this.counts.sliced += 1;
    return mode.sliceBytes;
  }

  /** A text that lies across two chunks is missed, so whoever counts on a cut looks at the counts. */
  private cuts(answer: Buffer): boolean {
    const mode = this.current;
    return (
      mode === 'cut-answers' || (typeof mode === 'object' && 'cutAt' in mode && answer.includes(mode.cutAt))
    );
  }

  private forward(lane: TcpLane, chunk: Buffer): void {
    if (this.current === 'hang') {
      this.counts.hung += 1;
      return;
    }
    if (this.current === 'blackhole') this.counts.held += 1;
    lane.put(chunk);
  }
}
