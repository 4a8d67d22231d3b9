import { KeyLifetimeTooLong } from './identity.errors';

/** A day in milliseconds. */
export const DAY_MS = 86_400_000;

/** Refuses a key that would live for longer than the tenant's settings let it. `daysMax` null: keys need not end. */
export function refuseLongLife(expiresAt: string | null, daysMax: number | null, nowMs = Date.now()): void {
  if (daysMax === null) return;
  if (expiresAt === null || Date.parse(expiresAt) > nowMs + daysMax * DAY_MS)
    throw new KeyLifetimeTooLong(daysMax);
}
