export type { DrillsOptions } from './drills-options';
export { listRunningDrills, type RunningDrill } from './drills.sql';
export { DrillsModule } from './drills.module';
export { SharedDrills } from './shared-drills';
