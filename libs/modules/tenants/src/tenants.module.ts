import { Database } from '@holdfast/database';
import { type DynamicModule, Module } from '@nestjs/common';
import { ChangePlanHandler } from './change-plan.command';
import { ChangeTenantHandler } from './change-tenant.command';
import { CreateTenantHandler } from './create-tenant.command';
import { ErasureReceipts } from './erasure/erasure-receipts.query';
import { ErasureController } from './erasure/erasure.controller';
import { OrderErasureHandler } from './erasure/order-erasure.command';
import { ExportContentsHandler, ExportFileHandler } from './exports/export-contents.query';
import { ExportsController } from './exports/exports.controller';
import { ExportByIdHandler, ExportsHandler } from './exports/exports.query';
import { ExportsResolver } from './exports/exports.resolver';
import { RequestExportHandler } from './exports/request-export.command';
import { BeginImportHandler, FinishImportHandler, ImportRowsHandler } from './imports/import-tenant.command';
import { OperatorCallers } from './operator-callers';
import { OperatorController } from './operator.controller';
import { OperatorSupportController } from './operator-support.controller';
import { OwnTenantHandler } from './own-tenant.query';
import { QuotaUseHandler } from './quota-use.query';
import { ResumeTenantHandler } from './resume-tenant.command';
import { SignUpHandler } from './sign-up.command';
import { SIGN_UP_ENABLED, SignUpController } from './sign-up.controller';
import { SuspendTenantHandler } from './suspend-tenant.command';
import { TenantController } from './tenant.controller';
import { TenantDirectory } from './tenant-directory.query';
import { TenantResolver } from './tenant.resolver';
import { TenantUsageHandler } from './tenant-usage.query';
import './exports/subjects.sql';
import './tenants.aggregates';

/** Tenants: their life in the hands of the operator, and what each sees and changes of itself. */
@Module({})
export class TenantsModule {
  static forRoot(ops: Database, isSignUpEnabled = false): DynamicModule {
    return {
      module: TenantsModule,
      controllers: [
        OperatorController,
        OperatorSupportController,
        SignUpController,
        ErasureController,
        TenantController,
        ExportsController,
      ],
      providers: [
        { provide: TenantDirectory, useValue: new TenantDirectory(ops) },
        { provide: SIGN_UP_ENABLED, useValue: isSignUpEnabled },
        { provide: ErasureReceipts, useValue: new ErasureReceipts(ops) },
        OperatorCallers,
        OrderErasureHandler,
        CreateTenantHandler,
        SignUpHandler,
        ChangePlanHandler,
        ChangeTenantHandler,
        SuspendTenantHandler,
        ResumeTenantHandler,
        OwnTenantHandler,
        QuotaUseHandler,
        TenantUsageHandler,
        TenantResolver,
        RequestExportHandler,
        BeginImportHandler,
        ImportRowsHandler,
        FinishImportHandler,
        ExportsHandler,
        ExportByIdHandler,
        ExportContentsHandler,
        ExportFileHandler,
        ExportsResolver,
      ],
      exports: [TenantDirectory, ErasureReceipts],
    };
  }
}
