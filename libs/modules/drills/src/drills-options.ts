/** Where drills are begun. */
export interface DrillsOptions {
  /** Whether they have to be confirmed. */
  readonly isProduction: boolean;
}

/** The token of DrillsOptions. */
export const DRILLS_OPTIONS = Symbol('DrillsOptions');
