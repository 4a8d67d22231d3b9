import { Operators, Unauthenticated } from '@holdfast/identity';
import { QueueDashboard, type QueueDashboardOptions } from '@holdfast/jobs';
import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Where the dashboard of the queues is. */
export const QUEUES_PATH = '/v1/operator/queues';

const CHALLENGE = 'Basic realm="Holdfast operators", charset="UTF-8"';

/** Everything from this address, and nothing runs that is not a file of it. Inline styles, because its charts set them. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

/**
 * The dashboard of the wake-up queues, for operators.
 *
 * A browser sends no Bearer token, so on this path, and on no other, the operator's key is also taken as the password of HTTP
 * Basic; the user's name is nobody's business. It is the same check, and a wrong one costs the address what it costs elsewhere.
 * Only what reads is served, so that a page elsewhere which makes the browser ask achieves nothing.
 */
@Module({})
export class QueuesModule implements OnApplicationShutdown {
  static forRoot(options: Omit<QueueDashboardOptions, 'basePath'>): DynamicModule {
    const useFactory = (): QueueDashboard => new QueueDashboard({ ...options, basePath: QUEUES_PATH });
    return { module: QueuesModule, providers: [{ provide: QueueDashboard, useFactory }] };
  }

  constructor(
    { httpAdapter }: HttpAdapterHost<FastifyAdapter>,
    @Inject(Operators) private readonly operators: Operators,
    @Inject(QueueDashboard) private readonly dashboard: QueueDashboard,
  ) {
    const fastify = httpAdapter.getInstance<FastifyInstance>();
    void fastify.register((scope) => this.serve(scope), { prefix: QUEUES_PATH });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.dashboard.close();
  }

  private async serve(fastify: FastifyInstance): Promise<void> {
    fastify.addHook('onRequest', (request, reply) => this.admit(request, reply));
    fastify.addHook('onSend', async (_request, reply) => {
      // Elsewhere a refusal asks for a Bearer token, of which a browser knows nothing.
      if (reply.statusCode === 401) reply.header('www-authenticate', CHALLENGE);
    });
    await this.dashboard.routes(fastify);
  }

  private async admit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    reply.headers({
      'cache-control': 'no-store',
      'content-security-policy': POLICY,
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
    const operator = this.operators.recognise(credentialOf(request.headers.authorization));
    if (operator !== undefined) {
      request.operator = operator;
      return;
    }
    throw new Unauthenticated();
  }
}

/** The key of `Bearer <key>`, or the password of `Basic <user:password>`; the empty text, which is nobody's, of anything else. */
function credentialOf(header = ''): string {
  const [, scheme = '', value = ''] = /^(Bearer|Basic) ([\x21-\x7e]{1,8192})$/i.exec(header) ?? [];
  if (scheme.toLowerCase() === 'bearer') return value;
  const text = Buffer.from(value, 'base64').toString('utf8');
  return text.slice(text.indexOf(':') + 1);
}
