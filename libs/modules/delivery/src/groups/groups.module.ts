import type { Database } from '@holdfast/database';
import { OperatedGroups } from '@holdfast/events';
import { type DynamicModule, Module } from '@nestjs/common';
import { GroupsController } from './groups.controller';
import { ReleaseParkedKeyHandler } from './release-parked-key.command';
import { ReplayTenantHandler } from './replay-tenant.command';

/** Consumer groups in the hands of operators. */
@Module({})
export class EventGroupsModule {
  static forRoot(ops: Database): DynamicModule {
    return {
      module: EventGroupsModule,
      controllers: [GroupsController],
      providers: [
        { provide: OperatedGroups, useValue: new OperatedGroups(ops) },
        ReleaseParkedKeyHandler,
        ReplayTenantHandler,
      ],
      exports: [OperatedGroups],
    };
  }
}
