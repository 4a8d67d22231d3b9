import { standbyState } from './sealing-metrics';

/** How far WAL is on disk, in bytes, and what is known of those who follow. */
export interface Positions {
  /** On this server. */
  readonly here: bigint;
  /** On the standby that is furthest; null where none follows, or none can be seen. */
  readonly standby: bigint | null;
  /** Receivers of WAL whose position is hidden from the sealer. */
  readonly hidden: number;
  /** Slots that keep WAL for a standby, whether it follows or not. */
  readonly slots: number;
}

/** `none`: nobody follows. `hidden`: somebody does, and how far is not known. `gone`: who followed has left. */
export const STANDBY_STATES = ['none', 'following', 'hidden', 'gone'] as const;
type StandbyState = (typeof STANDBY_STATES)[number];

/**
 * A standby that has gone is waited for so long, in milliseconds: longer than it takes to restart, or to fail over. Behind
 * that, checkpoints go on without it. Should that standby be promoted after all, it is behind what was signed: its
 * tenants are refused until the operator has begun another epoch, and no checkpoint contradicts another.
 */
const GONE_MS = 60_000;

/** Up to where WAL is safe to be signed for: on this server's disk, and on that of the standby that is furthest, if there is one. */
export class StandbyRule {
  private hasSeen = false;
  private goneSinceMs: number | undefined;

  /** The end of what may be signed at `nowMs`, in bytes of WAL. */
  safeEnd(positions: Positions, nowMs: number): bigint {
    const state = this.stateOf(positions);
    for (const each of STANDBY_STATES) standbyState.set({ state: each }, each === state ? 1 : 0);
    this.hasSeen ||= state === 'following';
    this.goneSinceMs = state === 'gone' ? (this.goneSinceMs ?? nowMs) : undefined;
    if (positions.standby !== null && positions.standby < positions.here) return positions.standby;
    if (this.goneSinceMs !== undefined && nowMs - this.goneSinceMs < GONE_MS) return 0n;
    return positions.here;
  }

  private stateOf({ standby, hidden, slots }: Positions): StandbyState {
    if (standby !== null) return 'following';
    if (hidden > 0) return 'hidden';
    return slots > 0 || this.hasSeen ? 'gone' : 'none';
  }
}
