import { MessagesModule, type TenantCommand } from '@holdfast/cqrs';
import { IdentityModule } from '@holdfast/identity';
import { type Caller, newId } from '@holdfast/kernel';
import { callerOf, Grants } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { EventGroupsModule } from '../src/groups/groups.module';

/** The operator's commands over a database of a spec file's own, in which workers have registered the group `feeds`. */
export class GroupsApp {
  private constructor(
    readonly database: TestDatabase,
    private readonly app: INestApplicationContext,
    private readonly grants: Grants,
  ) {}

  static async start(): Promise<GroupsApp> {
    const database = await TestDatabase.create();
    const grants = new Grants(database.as('holdfast_auth'));
    const imports = [
      MessagesModule.forRoot(database.tenants()),
      IdentityModule.forRoot(grants, undefined),
      EventGroupsModule.forRoot(database.as('holdfast_ops')),
    ];
    const app = await (await Test.createTestingModule({ imports }).compile()).init();
    await database.admin(
      `insert into events.groups (name, kind, replay, from_tick) values ('feeds', 'tenant', 'idempotent', 0)`,
    );
    return new GroupsApp(database, app, grants);
  }

  async close(): Promise<void> {
    await this.app.close();
    await this.database.drop();
  }

  do<Answer>(command: TenantCommand<unknown, Answer>): Promise<Answer> {
    return this.app.get(CommandBus).execute(command);
  }

  /** The operator in a tenant of its own, which has one event. */
  async operator(): Promise<Caller> {
    const grant = await this.grants.forSystem('operator', newId(), '', 'operator:ann');
    const caller = callerOf(grant, { requestId: newId() });
    const id = newId();
    const event = { id, type: 'probe.thing.made', schemaVersion: 1, streamType: 'probe.thing', streamId: id };
    await this.database
      .tenants(1)
      .transaction(caller, (tx) => tx.announce({ ...event, streamVersion: 1n, payload: '{}' }));
    return caller;
  }

  /** What was announced in the tenant behind its first event. */
  events({ tenantId }: Caller): Promise<unknown[]> {
    return this.database.admin(
      `select type, act, stream_version::int as version, data from events.log where tenant_id = $1 and type like 'delivery.%'
       order by seq`,
      [tenantId],
    );
  }
}
