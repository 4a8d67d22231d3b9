import { type DynamicModule, Module } from '@nestjs/common';
import { DRILLS_OPTIONS, type DrillsOptions } from './drills-options';
import { DrillsController } from './drills.controller';

/** Drills of the process's dependencies, for operators. */
@Module({})
export class DrillsModule {
  static forRoot(options: DrillsOptions): DynamicModule {
    return {
      module: DrillsModule,
      controllers: [DrillsController],
      providers: [{ provide: DRILLS_OPTIONS, useValue: options }],
    };
  }
}
