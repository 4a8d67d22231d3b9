import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@holdfast/kernel';
import type { Database } from '@holdfast/database';
import { at, type Report } from '@holdfast/events';
import type { InstallationEntries } from './installation-log';
import { LogKeys } from './log-keys';
import {
  acquireSealer,
  findSealedLineage,
  releaseSealer,
  SealerLeaseLost,
  sealing,
  SealingStopped,
} from './sealer-lease.sql';
import { sealerLeading } from './sealing-metrics';
import { StandbyRule } from './standby-rule';
import { type SealedRound, SealingTerm } from './sealing-term';

/** What the sealer needs of its process. */
export interface SealerOptions {
  /** In the role holdfast_sealer. */
  readonly database: Database;
  /** AUDIT_LOG_NAME: with tenant and epoch the origin of each checkpoint. */
  readonly logName: string;
  /** AUDIT_LOG_KEY_PRIVATE: Ed25519 as PKCS #8 in PEM or base64, the current one first. */
  readonly privateKeys: readonly string[];
  /** AUDIT_SIGNER_DIRECTORY: where the signer remembers what it has signed. */
  readonly directory: string;
  readonly report: Report;
  /** Hears what an operator may want to look at, and needs not. */
  readonly warn: (message: string) => void;
  /** How long a holder that has died still counts as one, in milliseconds. Absent: 6000. */
  readonly leaseMs?: number;
  /** How long a tenant rests that was sealed to the end, in milliseconds. Absent: 1000. */
  readonly restMs?: number;
  /** The entries of the installation's own log; absent: it has none. */
  readonly installation?: InstallationEntries | undefined;
}

/** Longer than a statement may take: who is at work keeps its lease. A takeover is noticed after it and one look. */
const LEASE_MS = 6_000;
const STANDBY_LOOK_MS = 500;
const REST_MS = 1_000;
/** Between two rounds while there is work. */
const ACTIVE_MS = 250;
/** Between two looks while nothing happens; the first event after a pause waits so long at most. */
const IDLE_MAX_MS = 500;
const IDLE_GROWTH = 1.2;

/**
 * Seals the logs of all tenants: one process of all holds the lease, gives events their leaves behind their commit, and
 * signs. The others wait to take over. A holder that slept through its lease has its next transaction refused; what it still
 * signs it can show to nobody.
 */
export class Sealer {
  private readonly holder = newId();
  private readonly leaseMs: number;
  private readonly keys: LogKeys;
  private readonly standbys = new StandbyRule();
  private readonly suspects = new Set<string>();
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private fence: bigint | undefined;
  private term: SealingTerm | undefined;
  private haltedBy: Error | undefined;

  constructor(private readonly options: SealerOptions) {
    this.leaseMs = options.leaseMs ?? LEASE_MS;
    this.keys = new LogKeys(options.logName, options.privateKeys);
  }

  /** Whether this process was the sealer when it last looked. */
  get isLeading(): boolean {
    return this.fence !== undefined;
  }

  /** What keeps this process from sealing; undefined while all is well. */
  get halt(): Error | undefined {
    return this.haltedBy;
  }

  /** Begins to compete for the lease, and to seal while it has it. */
  start(): void {
    this.running = this.keepSealing();
  }

  /** Ends after the round under way, and gives the lease back. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    await this.endTerm();
    const { fence } = this;
    this.follow();
    if (fence === undefined) return;
    await releaseSealer(this.options.database, this.holder, fence).catch((error: unknown) =>
      this.options.report(error, 'releasing the lease of the sealer'),
    );
  }

  /** One round, if this process has the lease or can get it; undefined if not, or while there is no sound lineage. */
  async round(): Promise<SealedRound | undefined> {
    try {
      const term = await this.currentTerm();
      const round = await term?.round();
      this.haltedBy = undefined;
      return round;
    } catch (error) {
      await this.endTerm();
      if (error instanceof SealerLeaseLost) this.follow();
      throw error;
    }
  }

  private async keepSealing(): Promise<void> {
    let pauseMs = ACTIVE_MS;
    while (!this.stopping.signal.aborted) {
      try {
        pauseMs = this.pauseBehind(await this.round(), pauseMs);
      } catch (error) {
        this.haltedBy = error instanceof Error ? error : new Error(String(error));
        this.options.report(error, 'sealing');
        pauseMs = STANDBY_LOOK_MS;
      }
      await sleep(pauseMs, undefined, { signal: this.stopping.signal }).catch(() => {}); // Stopped.
    }
  }

  private pauseBehind(round: SealedRound | undefined, pausedMs: number): number {
    if (!round) return STANDBY_LOOK_MS;
    if (round.isMore) return 0;
    return round.eventCount > 0
      ? ACTIVE_MS
      : Math.min(IDLE_MAX_MS, Math.max(ACTIVE_MS, pausedMs) * IDLE_GROWTH);
  }

  private async currentTerm(): Promise<SealingTerm | undefined> {
    const { database } = this.options;
    if (this.fence === undefined) {
      this.fence = await acquireSealer(database, this.holder, this.leaseMs);
      if (this.fence === undefined) return undefined;
      sealerLeading.set(1);
      await at('sealer.leased');
    }
    this.term ??= await this.beginTerm(this.fence);
    return this.term;
  }

  private async beginTerm(fence: bigint): Promise<SealingTerm | undefined> {
    const { options, holder, leaseMs, keys, standbys, suspects } = this;
    const lineage = await sealing(options.database, findSealedLineage, 'read only');
    if (!lineage) return undefined;
    if (!lineage.isSound) throw new SealingStopped('the lineage of the database is not verified');
    const restMs = options.restMs ?? REST_MS;
    return SealingTerm.begin(
      { ...options, keys, standbys, suspects, restMs },
      { holder, fence, leaseMs },
      lineage,
    );
  }

  private async endTerm(): Promise<void> {
    const { term } = this;
    this.term = undefined;
    await term?.close();
  }

  private follow(): void {
    this.fence = undefined;
    sealerLeading.set(0);
  }
}
