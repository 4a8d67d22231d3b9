import type { Database } from '@holdfast/database';
import { stopped } from './delivery-metrics';
import { type Stop, type StopReason, type Verified, verifyLineage } from './lineage.sql';

/** Events wait for an operator, because the database is not the one that it was. */
export class EventsStopped extends Error {
  override readonly name = 'EventsStopped';

  constructor({ reason, detail, since }: Stop) {
    super(
      `Ticks and deliveries are stopped since ${since.toISOString()} (${reason}: ${detail}). The database was restored or promoted: read deploy/runbooks/backup-and-restore.md, then run \`holdfast events epoch bump --reason …\`.`,
    );
  }
}

/** Between two looks while nothing is wrong: a lost connection or a tick that is refused has them look at once. */
const LOOK_INTERVAL_MS = 1_000;
const REASONS: readonly StopReason[] = ['system', 'timeline', 'position', 'positions'];

/**
 * Remembers how far this process has seen the database's WAL on disk, and looks whether it is still the same database. A
 * memory outside the database is what a restored copy of its files cannot have brought back.
 */
export class LineageWatch {
  private seen: Verified | undefined;
  private lookedAtMs = -Infinity;

  constructor(
    private readonly relay: Database,
    private readonly continueOnFailover: boolean,
  ) {}

  /** Looks, unless the last look was a moment ago. Throws EventsStopped. */
  async check(): Promise<void> {
    if (performance.now() - this.lookedAtMs < LOOK_INTERVAL_MS) return;
    const found = await verifyLineage(this.relay, this.seen, this.continueOnFailover);
    for (const reason of REASONS) stopped.set({ reason }, found.stop?.reason === reason ? 1 : 0);
    // What a stopped database shows is not what is compared with later: the operator's epoch begins with its own.
    if (found.stop) throw new EventsStopped(found.stop);
    this.seen = found;
    this.lookedAtMs = performance.now();
  }

  /** Has the next check look: something says that the server is another process. */
  doubt(): void {
    this.lookedAtMs = -Infinity;
  }
}
