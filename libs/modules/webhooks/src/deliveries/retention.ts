const DAY_MS = 86_400_000;

/** How long deliveries and their attempts are kept, from when they were made. Ten attempts take three days and a bit. */
export const KEPT_DAYS = 30;

/** The same in milliseconds. */
export const KEPT_MS = KEPT_DAYS * DAY_MS;
