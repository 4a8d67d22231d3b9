import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { announcement, eventType, personal, type TenantDatabase } from '@holdfast/tenancy';
import { TestDatabase, TestVault } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { type Command, CommandBus, type Query, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { z } from 'zod';
import { AuditModule } from '../src/audit.module';

const described = eventType('test.person.described', {
  version: 1,
  description: 'Somebody was described.',
  schema: z.object({ note: personal(z.string(), { subject: 'stream' }) }),
  example: { note: { commitment: 'Zk3q0Yb9n1cW2dT6hS8mXvP4jL7oA5rE_uIyGfKtB-Q' } },
});

/** The module with its buses over a database and a vault of its own. */
export class PersonalApp {
  private constructor(
    readonly database: TestDatabase,
    readonly keys: TestVault,
    readonly tenants: TenantDatabase,
    private readonly app: INestApplicationContext,
  ) {}

  static async start(): Promise<PersonalApp> {
    const database = await TestDatabase.create();
    const keys = new TestVault();
    const tenants = database.tenants(5, keys.open());
    const imports = [MessagesModule.forRoot(tenants), AuditModule];
    const app = await (await Test.createTestingModule({ imports }).compile()).init();
    return new PersonalApp(database, keys, tenants, app);
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.database.drop();
    this.keys.remove();
  }

  execute<Answer>(command: Command<Answer>): Promise<Answer> {
    return this.app.get(CommandBus).execute(command);
  }

  ask<Answer>(query: Query<Answer>): Promise<Answer> {
    return this.app.get(QueryBus).execute(query);
  }

  /** Announces something about a person; answers the event's id. */
  async describe(caller: Caller, person: string, note: string, version = 1n): Promise<string> {
    const event = announcement(described, { id: person, version }, { note });
    await this.tenants.transaction(caller, (tx) => tx.announce(event));
    return event.id;
  }

  /** The types and payloads of a stream, oldest first. */
  eventsOf(id: string): Promise<{ readonly type: string; readonly data: object }[]> {
    return this.database.admin(
      'select type, data from events.log where stream_id = $1 order by stream_version',
      [id],
    );
  }

  /** A caller of the tenant with these scopes alone. */
  async callerWith(scopes: readonly string[]): Promise<Caller> {
    const caller = await this.database.caller(newId());
    return { ...caller, scopes };
  }
}
