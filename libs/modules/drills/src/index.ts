export type { DrillsOptions } from './drills-options';
export { DrillsModule } from './drills.module';
export { SharedDrills } from './shared-drills';
