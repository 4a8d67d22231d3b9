/** The time, so that a test can choose it. Money and event order rest on the database's clock, never on this one. */
export interface Clock {
  now(): Date;
}

/** The machine's clock. */
export const systemClock: Clock = { now: () => new Date() };
