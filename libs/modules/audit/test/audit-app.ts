import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { createHttpApplication, graphqlModule, requestOf } from '@holdfast/http';
import { createLogger, Health } from '@holdfast/observability';
import { announcement, eventType, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { CanActivate, DynamicModule, ExecutionContext } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { z } from 'zod';
import { AuditModule } from '../src/audit.module';

const COUNTED = eventType('test.counter.counted', {
  version: 1,
  description: 'Counted.',
  schema: z.object({ n: z.int() }),
  example: { n: 1 },
});

/** An answer over HTTP. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly bytes: Buffer;
  /** The code of a refusal. */
  readonly code: string | undefined;
}

/** What a test sends; `as` is whose request it is. */
export interface Asked {
  readonly as?: string;
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}

/** The audit module over HTTP, where the name of a caller is the credential. */
export class AuditApp {
  private readonly callers = new Map<string, Caller>();

  private constructor(
    readonly database: TestDatabase,
    readonly tenants: TenantDatabase,
    private app: NestFastifyApplication | undefined,
  ) {}

  static async start(imports: readonly DynamicModule[] = []): Promise<AuditApp> {
    const database = await TestDatabase.create();
    const started = new AuditApp(database, database.tenants(), undefined);
    const guard: CanActivate = {
      canActivate: (context: ExecutionContext) => {
        const request = requestOf(context);
        request.caller = started.caller(String(request.headers.authorization));
        return true;
      },
    };
    const module = {
      module: AuditModule,
      imports: [MessagesModule.forRoot(started.tenants), graphqlModule({ graphiql: false }), ...imports],
      providers: [{ provide: APP_GUARD, useValue: guard }],
    };
    const logger = createLogger({ app: 'test', level: 'silent' });
    started.app = await createHttpApplication(module, { logger, health: new Health(), version: '0' });
    return started;
  }

  async close(): Promise<void> {
    await this.app?.close();
    await this.database.drop();
  }

  /** A tenant of its own, and somebody in it who may do everything: a part of Holdfast, or whoever acts for it. */
  async tenant(name: string, act = ''): Promise<Caller> {
    const caller = await this.database.caller(newId(), act);
    this.callers.set(name, caller);
    return caller;
  }

  /** Somebody in a tenant who may do nothing. */
  nobody(name: string, { tenantId, ...caller }: Caller): void {
    this.callers.set(name, { ...caller, tenantId, scopes: [] });
  }

  announce(caller: Caller, count: number): Promise<void> {
    const events = Array.from({ length: count }, (_, n) =>
      announcement(COUNTED, { id: newId(), version: 1n }, { n }),
    );
    return this.tenants.transaction(caller, (tx) => tx.announce(...events));
  }

  /** Ids of a tenant's events, in the order in which they were announced. */
  async eventIds({ tenantId }: Caller): Promise<string[]> {
    const rows = await this.database.admin<{ id: string }>(
      'select id from events.log where tenant_id = $1 order by seq',
      [tenantId],
    );
    return rows.map(({ id }) => id);
  }

  async ask(url: string, { as = 'caller', method = 'GET', headers = {}, body }: Asked = {}): Promise<Answer> {
    const answer = await this.running.inject({
      method,
      url: `/v1/audit${url}`,
      headers: { authorization: as, ...headers },
      ...(body && { payload: body }),
    });
    const isProblem = String(answer.headers['content-type']).startsWith('application/problem+json');
    const { code } = isProblem ? answer.json<{ code?: string }>() : {};
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: answer.body,
      bytes: answer.rawPayload,
      code,
    };
  }

  async graphql<Data>(query: string, as = 'caller'): Promise<Data> {
    const headers = { authorization: as };
    const answer = await this.running.inject({
      method: 'POST',
      url: '/graphql',
      headers,
      payload: { query },
    });
    return answer.json<{ data: Data }>().data;
  }

  /** Runs SQL on the log as a superuser who has switched off what guards it. */
  async tamper(text: string, values: readonly unknown[]): Promise<void> {
    await this.database.admin('alter table events.log disable trigger user');
    const rows = await this.database.admin(`${text} returning id`, values);
    await this.database.admin('alter table events.log enable trigger user');
    if (rows.length === 0) throw new Error('nothing was there to be changed');
  }

  private caller(name: string): Caller {
    const caller = this.callers.get(name);
    if (!caller) throw new Error(`nobody is called ${name}`);
    return caller;
  }

  private get running(): NestFastifyApplication {
    if (!this.app) throw new Error('the application does not run');
    return this.app;
  }
}

/** The entry that stands in a proof file. */
export function entryIn(file: string): Buffer {
  return Buffer.from(/^extra (.*)$/m.exec(file)?.[1] ?? '', 'base64');
}
