/** One step of the store's schema. Its statements run in order, and each may run again without harm. */
export interface TelemetryMigration {
  readonly version: number;
  readonly name: string;
  readonly statements: readonly string[];
}
