import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { addressOf } from './tail-client';

/** A message of graphql-transport-ws. */
export interface Message {
  readonly type: string;
  readonly id?: string;
  readonly payload?: unknown;
}

/** A socket at /graphql that says what a test wants, in order or not. */
export class GraphqlSocket {
  readonly messages: Message[] = [];
  /** The code with which the socket was closed. */
  readonly closed: Promise<number>;

  private constructor(private readonly socket: WebSocket) {
    socket.addEventListener('message', ({ data }) => this.messages.push(JSON.parse(String(data)) as Message));
    this.closed = new Promise((resolve) => socket.addEventListener('close', ({ code }) => resolve(code)));
  }

  /** Opens one; `headers` are those of the upgrade. */
  static async open(
    app: NestFastifyApplication,
    headers: Readonly<Record<string, string>> = {},
    path = '/graphql',
  ): Promise<GraphqlSocket> {
    const url = `${(await addressOf(app)).replace('http', 'ws')}${path}`;
    const options = { protocols: ['graphql-transport-ws'], headers };
    const socket = new WebSocket(url, options);
    const opened = new GraphqlSocket(socket);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', reject);
    });
    return opened;
  }

  send(message: Message): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Says who it is, and waits until that is acknowledged. */
  async init(payload: object = {}): Promise<void> {
    this.send({ type: 'connection_init', payload });
    await this.next(({ type }) => type === 'connection_ack');
  }

  subscribe(id: string, query: string, variables: object = {}): void {
    this.send({ type: 'subscribe', id, payload: { query, variables } });
  }

  /** The first message that is the one, once it is there. */
  async next(isIt: (message: Message) => boolean, withinMs = 15_000): Promise<Message> {
    const untilMs = performance.now() + withinMs;
    for (;;) {
      const found = this.messages.find(isIt);
      if (found) return found;
      if (performance.now() > untilMs) throw new Error(`not among ${JSON.stringify(this.messages)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The code of the error that answers a subscription. */
  async refusalOf(id: string): Promise<unknown> {
    const { payload } = await this.next((message) => message.type === 'error' && message.id === id);
    const [error] = payload as readonly {
      readonly message: string;
      readonly extensions?: { code?: string };
    }[];
    return error?.extensions?.code ?? error?.message;
  }

  close(): void {
    this.socket.close();
  }
}
