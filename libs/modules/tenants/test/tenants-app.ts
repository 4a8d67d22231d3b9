import { type Caller, newId } from '@holdfast/kernel';
import { MessagesModule, type TenantCommand, type TenantQuery } from '@holdfast/cqrs';
import { IdentityModule } from '@holdfast/identity';
import { callerOf, Grants } from '@holdfast/tenancy';
import { TestDatabase } from '@holdfast/testing';
import type { INestApplicationContext } from '@nestjs/common';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { Test } from '@nestjs/testing';
import { CreateTenant } from '../src/create-tenant.command';
import { TenantsModule } from '../src/tenants.module';

/** The commands and queries of the module over a database of a spec file's own, without a transport. */
export class TenantsApp {
  private constructor(
    readonly database: TestDatabase,
    private readonly app: INestApplicationContext,
    private readonly grants: Grants,
  ) {}

  static async start(): Promise<TenantsApp> {
    const database = await TestDatabase.create();
    const grants = new Grants(database.as('holdfast_auth'));
    const imports = [
      MessagesModule.forRoot(database.tenants()),
      IdentityModule.forRoot(grants, undefined),
      TenantsModule.forRoot(database.as('holdfast_ops')),
    ];
    const app = await (await Test.createTestingModule({ imports }).compile()).init();
    return new TenantsApp(database, app, grants);
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

  get<T>(type: new (...given: never[]) => T): T {
    return this.app.get(type, { strict: false });
  }

  /** The operator in a tenant of its own that has just been created. */
  async tenant(slug = `t-${newId()}`): Promise<Caller> {
    const caller = await this.operator(newId());
    await this.do(new CreateTenant(caller, { slug, name: slug }));
    return caller;
  }

  /** The operator in a tenant. */
  async operator(tenantId: string): Promise<Caller> {
    return callerOf(await this.grants.forSystem('operator', tenantId), { requestId: newId() });
  }

  /** A tenant's events in order, as type and payload. */
  events(
    tenantId: string,
  ): Promise<{ readonly type: string; readonly version: number; readonly data: object }[]> {
    return this.database.admin(
      'select type, stream_version::int as version, data from events.log where tenant_id = $1 order by seq',
      [tenantId],
    );
  }
}
