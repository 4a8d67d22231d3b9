import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import type { FastifyInstance } from 'fastify';
import { type Opened, openQueue, type OpenQueue, type QueueBackend } from './backend';

/** What the dashboard is made of. */
export interface QueueDashboardOptions {
  readonly backend: QueueBackend;
  /** The path that it is mounted at, without a slash at its end. */
  readonly basePath: string;
  /** The consumer groups that there are. Asked when somebody looks; failing, the groups that were known before are shown. */
  readonly listGroups: () => Promise<readonly string[]>;
  readonly report: (error: unknown, doing: string) => void;
}

/** A page that is not answered by then says that the backend is away, instead of waiting for it. */
const ANSWER_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** Groups come with a release; a look every so often is enough. */
const GROUPS_KEPT_MS = 10_000;
const GROUPS_MAX = 200;
/** Its page asks for fonts elsewhere; nothing of ours does, and the operator's browser need not tell anybody where it is. */
const ELSEWHERE = /<link[^>]+href="https?:\/\/[^>]*>\n?/g;

/**
 * bull-board over the wake-up queues of all groups, to look at. Only what reads has a route: a wake-up that is retried,
 * promoted or removed by hand changes nothing that the relay would not do by itself, and `holdfast events` has the verbs that do.
 *
 * It knows nothing of who asks: whoever mounts it puts authentication before it. Connections are opened when somebody looks.
 */
export class QueueDashboard {
  private readonly opened = new Map<string, Opened<OpenQueue>>();
  private readonly adapter: ReadingAdapter;
  private readonly board: ReturnType<typeof createBullBoard>;
  private listed: { readonly atMs: number; readonly done: Promise<void> } | undefined;

  constructor(private readonly options: QueueDashboardOptions) {
    this.adapter = new ReadingAdapter(() => this.listOnce(), options.report);
    this.adapter.setBasePath(options.basePath);
    this.board = createBullBoard({
      queues: [],
      serverAdapter: this.adapter as never,
      options: {
        uiConfig: {
          boardTitle: 'Holdfast queues',
          locale: { lng: 'en' },
          pollingInterval: { showSetting: true },
        },
      },
    });
  }

  /** Its routes, to be registered under the path that it is mounted at. */
  async routes(fastify: FastifyInstance): Promise<void> {
    fastify.addHook('onSend', async (_request, reply, payload) => {
      const isPage = String(reply.getHeader('content-type')).startsWith('text/html');
      return isPage && typeof payload === 'string' ? payload.replace(ELSEWHERE, '') : payload;
    });
    await fastify.register(this.adapter.registerPlugin() as never);
  }

  /** Closes the connections that looks have opened. */
  async close(): Promise<void> {
    for (const { end, release } of this.opened.values()) {
      const closing = end.close().catch((error: unknown) => this.options.report(error, 'closing'));
      await within(ANSWER_TIMEOUT_MS, closing).catch(() => {}); // A server that is away is not waited for.
      release();
    }
    this.opened.clear();
  }

  private async listOnce(): Promise<void> {
    if (!this.listed || Date.now() - this.listed.atMs > GROUPS_KEPT_MS) {
      this.listed = { atMs: Date.now(), done: this.list() };
    }
    await this.listed.done;
  }

  private async list(): Promise<void> {
    const { backend, listGroups, report } = this.options;
    const groups = await listGroups().catch((error: unknown) => report(error, 'listing groups'));
    for (const group of (groups ?? []).slice(0, GROUPS_MAX)) {
      if (this.opened.has(group)) continue;
      const opened = openQueue(backend, `wake.${group}`, CONNECT_TIMEOUT_MS, (error) =>
        report(error, 'queue'),
      );
      opened.end.on('error', (error) => report(error, 'queue'));
      this.opened.set(group, opened);
      this.board.addQueue(new BullMQAdapter(opened.end as never, { readOnlyMode: true }));
    }
  }
}

/** Its types know some statuses only. */
const UNAVAILABLE = 503 as 500;

type Routes = Parameters<FastifyAdapter['setApiRoutes']>[0];
type Handler = Routes[number]['handler'];

/** The adapter for Fastify, without the routes that change something, and with an answer when the backend gives none. */
class ReadingAdapter extends FastifyAdapter {
  constructor(
    private readonly before: () => Promise<void>,
    private readonly report: QueueDashboardOptions['report'],
  ) {
    super();
  }

  override setApiRoutes(routes: Routes): this {
    const reading = routes.filter(({ method }) => [method].flat().every((each) => each === 'get'));
    super.setApiRoutes(
      reading.map((route) => ({
        ...route,
        handler: (request) => this.answer((asked) => route.handler(asked), request),
      })),
    );
    return this;
  }

  /** What is no answer of the dashboard is answered by whoever mounts it, in the form of all other routes. */
  override setErrorHandler(): this {
    super.setErrorHandler((error) => {
      throw error;
    });
    return this;
  }

  private async answer(
    handler: Handler,
    request: Parameters<Handler>[0],
  ): Promise<Awaited<ReturnType<Handler>>> {
    try {
      await within(ANSWER_TIMEOUT_MS, this.before());
      return await within(ANSWER_TIMEOUT_MS, Promise.resolve(handler(request)));
    } catch (error) {
      this.report(error, 'showing queues');
      // In the form that its page shows. What went wrong is in the log.
      return {
        status: UNAVAILABLE,
        body: { error: 'The queues do not answer. The log of this process says why.' },
      };
    }
  }
}

async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`the queues do not answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
