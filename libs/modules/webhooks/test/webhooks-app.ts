import { randomBytes } from 'node:crypto';
import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule, type TenantCommand, type TenantQuery } from '@holdfast/cqrs';
import { callerOf, Grants } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { CreateWebhook, createWebhookInput } from '../src/endpoints/create-webhook.command';
import type { WebhookWithSecretView } from '../src/endpoints/webhook';
import type { SealingKey } from '@holdfast/vault';
import { WebhooksModule } from '../src/webhooks.module';

/** Seals the secrets of every test. */
export const TEST_KEY: SealingKey = { id: 'test', key: randomBytes(32).toString('base64') };
/** Where the tests' receivers listen. */
export const THIS_MACHINE = ['127.0.0.0/8'];

/** The commands and queries of the module over a database of a spec file's own, without a transport. */
export class WebhooksApp {
  private constructor(
    readonly database: TestDatabase,
    readonly grants: Grants,
    private readonly app: INestApplicationContext,
  ) {}

  static async start(
    keys: readonly SealingKey[] = [TEST_KEY],
    allowedNetworks = THIS_MACHINE,
  ): Promise<WebhooksApp> {
    const database = await TestDatabase.create();
    const imports = [
      MessagesModule.forRoot(database.tenants()),
      WebhooksModule.forRoot({ keys, allowedNetworks }),
    ];
    const app = await (await Test.createTestingModule({ imports }).compile()).init();
    return new WebhooksApp(database, new Grants(database.as('holdfast_auth', 2)), app);
  }

  async close(): Promise<void> {
    await this.app.close();
    this.grants.close();
    await this.database.drop();
  }

  do<Answer>(command: TenantCommand<unknown, Answer>): Promise<Answer> {
    return this.app.get(CommandBus).execute(command);
  }

  ask<Answer>(query: TenantQuery<unknown, Answer>): Promise<Answer> {
    return this.app.get(QueryBus).execute(query);
  }

  /** A tenant on a plan. */
  async tenant(plan = 'standard'): Promise<Caller> {
    const tenantId = newId();
    await this.database.admin(
      `insert into auth.tenants (id, state, plan) values ($1, 'active', $2)
       on conflict (id) do update set plan = excluded.plan`,
      [tenantId, plan],
    );
    return callerOf(await this.grants.forSystem('test', tenantId), { requestId: newId() });
  }

  /** An operator who acts for the tenant, with the scopes of whoever has got around the code. */
  async supporting(tenantId: string): Promise<Caller> {
    const [secret, id] = [randomBytes(24).toString('hex'), newId()];
    await this.database.admin(
      `insert into auth.credentials (secret_hash, tenant_id, api_key_id, scopes, expires_at, act, actor)
       values (sha256(convert_to($1, 'utf8')), $2, $3, '{*}', now() + interval '30 minutes', 'operator:alice', $4)`,
      [secret, tenantId, id, `support:${id}`],
    );
    const grant = await this.grants.forKey(secret);
    if (!grant) throw new Error('the credential was not accepted');
    return callerOf(grant, { requestId: newId() });
  }

  /** Makes a webhook. */
  async webhook(caller: Caller, url: string, more: object = {}): Promise<WebhookWithSecretView> {
    const command = new CreateWebhook(caller, createWebhookInput.parse({ url, ...more }));
    return command.withSecret(await this.do(command));
  }

  /** What was announced about an object, oldest first. */
  events(id: string): Promise<{ type: string; stream_version: string; data: object }[]> {
    return this.database.admin(
      'select type, stream_version, data from events.log where stream_id = $1 order by seq',
      [id],
    );
  }
}
