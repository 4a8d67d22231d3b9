import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '@holdfast/database';
import { newId } from '@holdfast/kernel';
import { recordSpan } from '@holdfast/observability';
import {
  leading,
  sequencedTotal,
  sequencerLagSeconds,
  tickEvents,
  tickSeconds,
  ticksTotal,
} from './delivery-metrics';
import { EventsStopped, LineageWatch } from './lineage-watch';
import type { Report } from './report';
import { at } from './steps';
import { acquireLease, LeaseLost, LineageUnverified, makeTick, releaseLease, type Tick } from './ticks.sql';

/** What the sequencer needs of its process. */
export interface SequencerOptions {
  readonly relay: Database;
  /** Hears of each tick that holds events. Not waited for. */
  readonly onTick: (tick: Tick) => void;
  readonly report: Report;
  /** Hears that this process has become the leader: what lags was waiting for it. */
  readonly onLead?: () => void;
  /** Whether another timeline of the same cluster is accepted: every standby is synchronous. Absent: false. */
  readonly continueOnFailover?: boolean;
  /** How long a leader that has died still counts as one, in milliseconds. Absent: 3000. */
  readonly leaseMs?: number;
}

/** A takeover is noticed after the lease and one look: under 4 s. Renewals are due each second, so one may fail. */
const LEASE_MS = 3_000;
const STANDBY_LOOK_MS = 500;
/** Between two ticks while events come; as long as a tick takes, where that is more: one that is slow has much to do. */
const ACTIVE_MS = 8;
const ACTIVE_MAX_MS = 20;
/**
 * Idle looks back off to this, which is then what the first event waits at most. They read and do not write: 0.5 ms of CPU in
 * all (measured), so one core is busy to a hundredth.
 */
const IDLE_MAX_MS = 50;
/** Growth of the pause from look to look: under 20 ms for five looks, and at its longest after about 0.3 s. */
const IDLE_GROWTH = 1.2;

/**
 * Puts the log in order: one process of all holds the lease and makes ticks; the others wait to take over.
 *
 * The lease is a row in PostgreSQL with a fence that counts its holders. A leader that slept through its expiry has its
 * next tick refused and goes back to waiting; it cannot do harm in between, because ticks are all it writes.
 */
export class Sequencer {
  private readonly holder = newId();
  private readonly leaseMs: number;
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private readonly lineage: LineageWatch;
  private fence: bigint | undefined;
  private haltedBy: EventsStopped | undefined;

  constructor(private readonly options: SequencerOptions) {
    this.leaseMs = options.leaseMs ?? LEASE_MS;
    this.lineage = new LineageWatch(options.relay, options.continueOnFailover ?? false);
  }

  /** Whether this process was the leader when it last looked. */
  get isLeading(): boolean {
    return this.fence !== undefined;
  }

  /** Why no ticks are made and nothing is delivered, anywhere, until an operator has looked; undefined while all is well. */
  get halt(): EventsStopped | undefined {
    return this.haltedBy;
  }

  /** Begins to compete for the lease, and to make ticks while it has it. */
  start(): void {
    this.running = this.keepTicking();
  }

  /** Ends the loop and gives the lease back, so that another takes over at its next look. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    const { fence } = this;
    this.follow();
    if (fence === undefined) return;
    await releaseLease(this.options.relay, this.holder, fence).catch((error: unknown) =>
      this.options.report(error, 'releasing the lease of the sequencer'),
    );
  }

  private async keepTicking(): Promise<void> {
    let pauseMs = ACTIVE_MS;
    while (!this.stopping.signal.aborted) {
      try {
        pauseMs = await this.step(pauseMs);
      } catch (error) {
        pauseMs = this.recover(error);
      }
      await sleep(pauseMs, undefined, { signal: this.stopping.signal }).catch(() => {}); // Stopped.
    }
  }

  /** Takes the lease or makes a tick; answers how long to pause. */
  private async step(pausedMs: number): Promise<number> {
    await this.lineage.check();
    this.haltedBy = undefined;
    if (this.fence === undefined && !(await this.lead())) return STANDBY_LOOK_MS;
    const { holder, fence = 0n, leaseMs } = this;
    const startedAt = performance.now();
    const tick = await makeTick(this.options.relay, { holder, fence, leaseMs });
    const tookMs = performance.now() - startedAt;
    sequencerLagSeconds.set((tick?.lagMs ?? 0) / 1_000);
    if (!tick) return Math.min(IDLE_MAX_MS, pausedMs * IDLE_GROWTH);
    await at('sequencer.ticked');
    ticksTotal.inc();
    sequencedTotal.inc(Number(tick.eventCount));
    tickEvents.observe(Number(tick.eventCount));
    tickSeconds.observe(tookMs / 1_000);
    recordSpan(
      'tick',
      { 'holdfast.tick': String(tick.id), 'holdfast.events': Number(tick.eventCount) },
      tookMs,
    );
    this.options.onTick(tick);
    return Math.min(ACTIVE_MAX_MS, Math.max(ACTIVE_MS, tookMs));
  }

  private async lead(): Promise<boolean> {
    this.fence = await acquireLease(this.options.relay, this.holder, this.leaseMs);
    if (this.fence === undefined) return false;
    leading.set(1);
    await at('sequencer.leased');
    this.options.onLead?.();
    return true;
  }

  /** What a failed step leaves to do; answers how long to pause. */
  private recover(error: unknown): number {
    // Whatever it was, the next answer may come from another server.
    this.lineage.doubt();
    if (error instanceof LineageUnverified) return 0;
    if (error instanceof EventsStopped) this.haltedBy = error;
    if (error instanceof LeaseLost || error instanceof EventsStopped) this.follow();
    this.options.report(error, 'sequencing');
    return STANDBY_LOOK_MS;
  }

  private follow(): void {
    this.fence = undefined;
    leading.set(0);
  }
}
