import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A delivery as it arrived. */
export interface Received {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly atMs: number;
}

/** What a receiver does with a delivery; by default it answers 204. */
export type Behaviour = (response: ServerResponse, received: Received) => unknown;

/** A receiver of requests that leave us: a real HTTP server on this machine. */
export class Receiver {
  readonly received: Received[] = [];
  behave: Behaviour = (response) => response.writeHead(204).end();
  private readonly sockets = new Set<Socket>();
  connections = 0;

  private constructor(
    private readonly server: Server,
    private readonly host: string,
  ) {
    server.on('connection', (socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => {}); // Senders hang up, and are meant to.
    });
    server.on('request', (request, response) => void this.take(request, response));
  }

  static async start(behave?: Behaviour, host = '127.0.0.1', port = 0): Promise<Receiver> {
    const receiver = new Receiver(createServer(), host);
    if (behave) receiver.behave = behave;
    receiver.server.listen(port, host);
    await once(receiver.server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://${this.host}:${this.port}/hook?from=test`;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Waits until so many deliveries have arrived. */
  async until(count: number, timeoutMs = 20_000): Promise<readonly Received[]> {
    await eventually(() => this.received.length >= count, timeoutMs);
    return this.received;
  }

  /** The subjects (streams) and versions that arrived, in their order. */
  arrivals(): readonly { readonly subject: string; readonly streamversion: string }[] {
    return this.received.map(
      ({ body }) => JSON.parse(body) as { readonly subject: string; readonly streamversion: string },
    );
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const received = {
      headers: request.headers as Record<string, string>,
      body: Buffer.concat(pieces).toString(),
      atMs: Date.now(),
    };
    this.received.push(received);
    this.behave(response, received);
  }
}

/** Waits until it is so; throws after the time. */
export async function eventually(isSo: () => boolean | Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const endsAtMs = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (Date.now() > endsAtMs) throw new Error(`not so within ${timeoutMs} ms: ${isSo.toString()}`);
    await sleep(10);
  }
}
