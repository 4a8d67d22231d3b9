import { userInfo } from 'node:os';
import { AuditModule } from '@holdfast/audit';
import { newId, type Caller } from '@holdfast/kernel';
import { MessagesModule } from '@holdfast/cqrs';
import { Database } from '@holdfast/database';
import { DeliveryModule, EventGroupsModule } from '@holdfast/delivery';
import { OperatedGroups } from '@holdfast/events';
import { IdentityModule } from '@holdfast/identity';
import { SteeringModule } from '@holdfast/steering';
import { callerOf, Grants, TenantDatabase } from '@holdfast/tenancy';
import { TenantDirectory, TenantsModule } from '@holdfast/tenants';
import { WriteKeysModule, type WriteKeysOptions } from '@holdfast/telemetry';
import { type DynamicModule, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus, QueryBus } from '@nestjs/cqrs';
import { required, runningSystem } from './running-system';

/** The modules that the operator's verbs call, without any server in front. */
@Module({})
class OperatorModule {
  static forRoot(
    tenants: TenantDatabase,
    grants: Grants,
    ops: Database,
    writeKeys: WriteKeysOptions,
  ): DynamicModule {
    return {
      module: OperatorModule,
      imports: [
        MessagesModule.forRoot(tenants),
        IdentityModule.forRoot(grants, undefined),
        TenantsModule.forRoot(ops),
        AuditModule,
        SteeringModule,
        DeliveryModule,
        EventGroupsModule.forRoot(ops),
        WriteKeysModule.forRoot(writeKeys),
      ],
    };
  }
}

/**
 * The operator at the command line: the same commands as over HTTP, with a system grant for the tenant they are about. So
 * each use is in that tenant's audit trail, with `system:operator` as its actor and `operator:<name>` beside it.
 */
export interface Operator {
  /** `operator:<name>`, as it stands beside what is done. */
  readonly name: string;
  readonly commands: CommandBus;
  readonly queries: QueryBus;
  readonly directory: TenantDirectory;
  readonly groups: OperatedGroups;
  /** In the role holdfast_ops. */
  readonly ops: Database;
  /** In the role holdfast_app. */
  readonly tenants: TenantDatabase;
  /** The operator acting in a tenant, or in the name of the part of the system that alone may do it. */
  readonly callerFor: (tenantId: string, consumer?: string) => Promise<Caller>;
}

/** Connects, does the work, and disconnects whatever came of it. */
export async function asOperator<T>(work: (operator: Operator) => Promise<T>): Promise<T> {
  const system = runningSystem();
  const open = (url: string | undefined, variable: string): Database =>
    new Database({ url: required(url, variable), name: 'holdfast cli', connectionsMax: 2 });
  const app = open(system.databaseUrl, 'DATABASE_URL');
  const auth = open(system.databaseAuthUrl, 'DATABASE_AUTH_URL');
  const ops = open(system.databaseOpsUrl, 'DATABASE_OPS_URL');
  const grants = new Grants(auth);
  const tenants = new TenantDatabase(app);
  const module = OperatorModule.forRoot(tenants, grants, ops, {
    auth,
    privateKey: system.writeKeyPrivate,
  });
  const context = await NestFactory.createApplicationContext(module, {
    logger: ['error', 'fatal'],
    abortOnError: false,
  });
  const requestId = newId();
  const act = `operator:${system.operatorName ?? userName()}`;
  try {
    return await work({
      name: act,
      commands: context.get(CommandBus),
      queries: context.get(QueryBus),
      directory: context.get(TenantDirectory, { strict: false }),
      groups: context.get(OperatedGroups, { strict: false }),
      ops,
      tenants,
      callerFor: async (tenantId, consumer = 'operator') =>
        callerOf(await grants.forSystem(consumer, tenantId, '', act), { requestId }),
    });
  } finally {
    grants.close();
    await context.close();
    await Promise.all([app.close(), auth.close(), ops.close()]);
  }
}

/** The user of the operating system, in the characters that a name in a grant may have. */
function userName(): string {
  return userInfo().username.replaceAll(/[^A-Za-z0-9._-]/g, '-');
}
