import { Database } from '@holdfast/database';
import { type DynamicModule, Module } from '@nestjs/common';
import { ChangePlanHandler } from './change-plan.command';
import { ChangeTenantHandler } from './change-tenant.command';
import { CreateTenantHandler } from './create-tenant.command';
import { OperatorController } from './operator.controller';
import { OperatorSupportController } from './operator-support.controller';
import { OwnTenantHandler } from './own-tenant.query';
import { QuotaUseHandler } from './quota-use.query';
import { ResumeTenantHandler } from './resume-tenant.command';
import { SuspendTenantHandler } from './suspend-tenant.command';
import { TenantController } from './tenant.controller';
import { TenantDirectory } from './tenant-directory.query';
import { TenantResolver } from './tenant.resolver';
import { TenantUsageHandler } from './tenant-usage.query';

/** Tenants: their life in the hands of the operator, and what each sees and changes of itself. */
@Module({})
export class TenantsModule {
  static forRoot(ops: Database): DynamicModule {
    return {
      module: TenantsModule,
      controllers: [OperatorController, OperatorSupportController, TenantController],
      providers: [
        { provide: TenantDirectory, useValue: new TenantDirectory(ops) },
        CreateTenantHandler,
        ChangePlanHandler,
        ChangeTenantHandler,
        SuspendTenantHandler,
        ResumeTenantHandler,
        OwnTenantHandler,
        QuotaUseHandler,
        TenantUsageHandler,
        TenantResolver,
      ],
      exports: [TenantDirectory],
    };
  }
}
