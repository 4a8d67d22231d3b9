import { Database } from '@holdfast/database';
import { type DynamicModule, Module } from '@nestjs/common';
import { CreateTenantHandler } from './create-tenant.command';
import { OperatorController } from './operator.controller';
import { OwnTenantHandler } from './own-tenant.query';
import { TenantController } from './tenant.controller';
import { TenantDirectory } from './tenant-directory.query';
import { TenantResolver } from './tenant.resolver';
import { TenantUsageHandler } from './tenant-usage.query';

/** Tenants: their creation by the operator, and what each sees of itself. */
@Module({})
export class TenantsModule {
  static forRoot(ops: Database): DynamicModule {
    return {
      module: TenantsModule,
      controllers: [OperatorController, TenantController],
      providers: [
        { provide: TenantDirectory, useValue: new TenantDirectory(ops) },
        CreateTenantHandler,
        OwnTenantHandler,
        TenantUsageHandler,
        TenantResolver,
      ],
      exports: [TenantDirectory],
    };
  }
}
