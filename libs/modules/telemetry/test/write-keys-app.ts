import { generateKeyPairSync } from 'node:crypto';
import type { Caller } from '@holdfast/kernel';
import { MessagesModule, type TenantCommand, type TenantQuery } from '@holdfast/cqrs';
import { TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { WriteKeysModule } from '../src/write-keys/write-keys.module';

const pair = generateKeyPairSync('ed25519');
/** Verifies the keys that the app makes. */
export const PUBLIC_KEY = pair.publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
const PRIVATE_KEY = pair.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64');

/** The commands and queries about write keys over a database of a spec file's own, without a transport. */
export class WriteKeysApp {
  private constructor(
    readonly database: TestDatabase,
    private readonly app: INestApplicationContext,
  ) {}

  /** Over a given database, or one of its own; `privateKey` undefined as where none is configured. */
  static async start(
    options: { readonly privateKey?: string | undefined } = { privateKey: PRIVATE_KEY },
  ): Promise<WriteKeysApp> {
    const database = await TestDatabase.create();
    const auth = database.as('holdfast_auth');
    const imports = [
      MessagesModule.forRoot(database.tenants()),
      WriteKeysModule.forRoot({ auth, privateKey: options.privateKey }),
    ];
    const app = await (await Test.createTestingModule({ imports }).compile()).init();
    return new WriteKeysApp(database, app);
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.database.drop();
  }

  do<Answer>(command: TenantCommand<unknown, Answer>): Promise<Answer> {
    return this.app.get(CommandBus).execute(command);
  }

  ask<Answer>(query: TenantQuery<unknown, Answer>): Promise<Answer> {
    return this.app.get(QueryBus).execute(query);
  }

  /** What the log has of a tenant, in order. */
  events({ tenantId }: Caller): Promise<{ readonly type: string; readonly data: object }[]> {
    return this.database.admin('select type, data from events.log where tenant_id = $1 order by seq', [
      tenantId,
    ]);
  }
}
