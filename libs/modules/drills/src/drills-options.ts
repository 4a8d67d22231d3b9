import type { SharedDrills } from './shared-drills';

/** Where drills are begun. */
export interface DrillsOptions {
  /** Whether they have to be confirmed. */
  readonly isProduction: boolean;
  readonly drills: SharedDrills;
}

/** The token of DrillsOptions. */
export const DRILLS_OPTIONS = Symbol('DrillsOptions');
