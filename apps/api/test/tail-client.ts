import type { NestFastifyApplication } from '@nestjs/platform-fastify';

/** One block of a stream of server-sent events. */
export interface Block {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: Readonly<Record<string, unknown>> | undefined;
  readonly retry: number | undefined;
}

/** Where an application listens; begins to, the first time. */
export async function addressOf(app: NestFastifyApplication): Promise<string> {
  const listening = addresses.get(app) ?? app.listen(0, '127.0.0.1').then(() => app.getUrl());
  addresses.set(app, listening);
  return listening;
}

const addresses = new WeakMap<NestFastifyApplication, Promise<string>>();

/** Reads a stream as a browser's EventSource does, but with headers. */
export class TailClient {
  /** Everything that came, in order. */
  readonly blocks: Block[] = [];
  /** Settles when the stream has ended, however. */
  readonly ended: Promise<void>;
  private readonly ending = new AbortController();
  private readonly waiting = new Set<() => void>();

  private constructor(readonly response: Response) {
    this.ended = this.read().catch(() => {}); // The connection was cut, by whoever.
  }

  static async open(
    app: NestFastifyApplication,
    key: string,
    query = '',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<TailClient> {
    const url = `${await addressOf(app)}/v1/events/stream${query}`;
    const ending = new AbortController();
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${key}`, accept: 'text/event-stream', ...headers },
      signal: ending.signal,
    });
    const client = new TailClient(response);
    ending.signal.addEventListener('abort', () => client.ending.abort());
    client.ending.signal.addEventListener('abort', () => ending.abort());
    return client;
  }

  /** Ids of the events that came. */
  get events(): string[] {
    return this.blocks.flatMap(({ data, event }) => (data && event !== 'problem' ? String(data['id']) : []));
  }

  /** What a client that lost this stream sends as Last-Event-ID. */
  get lastEventId(): string {
    return this.blocks.findLast(({ id }) => id !== undefined)?.id ?? '';
  }

  /** The code with which the stream ended. */
  get problem(): unknown {
    return this.blocks.find(({ event }) => event === 'problem')?.data?.['code'];
  }

  /** Waits until what came is enough. */
  async until(isEnough: () => boolean, withinMs = 20_000): Promise<void> {
    const untilMs = performance.now() + withinMs;
    while (!isEnough()) {
      if (performance.now() > untilMs)
        throw new Error(`${this.response.status}, ${this.blocks.length} blocks and not enough`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.waiting.add(resolve);
      const timer = setTimeout(resolve, 100);
      await promise;
      clearTimeout(timer);
      this.waiting.delete(resolve);
    }
  }

  /** Goes away, as a client that is killed does. */
  async leave(): Promise<void> {
    this.ending.abort();
    await this.ended;
  }

  private async read(): Promise<void> {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of this.response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const whole = text.split('\n\n');
      text = whole.pop() ?? '';
      this.blocks.push(...whole.map(blockOf));
      for (const resolve of this.waiting) resolve();
    }
  }
}

function blockOf(text: string): Block {
  const fields = new Map(
    text.split('\n').map((line) => {
      const [name = '', ...value] = line.split(': ');
      return [name, value.join(': ')];
    }),
  );
  const [data, retry] = [fields.get('data'), fields.get('retry')];
  return {
    id: fields.get('id'),
    event: fields.get('event'),
    data: data === undefined ? undefined : (JSON.parse(data) as Record<string, unknown>),
    retry: retry === undefined ? undefined : Number(retry),
  };
}
