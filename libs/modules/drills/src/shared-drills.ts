import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, SystemTx } from '@holdfast/database';
import { HeardDrills } from '@holdfast/resilience';
import { listRunningDrills, type NewDrill, storeDrill } from './drills.sql';

/** What shared drills need of their process. */
export interface SharedDrillsOptions {
  /** As holdfast_ops where drills are begun, or as holdfast_relay. */
  readonly system: Database;
  readonly report: (error: unknown, doing: string) => void;
}

/** Between two looks. A shorter drill may be missed by processes that were not asked for it. */
const INTERVAL_MS = 2_000;

/**
 * Drills of all processes with a database: what one is asked for each does within two seconds, to its own calls. A drill ends by the
 * clock of each process, also where the database is away by then.
 */
export class SharedDrills {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private looking: Promise<void> = Promise.resolve();
  private readonly heard = new HeardDrills();

  constructor(private readonly options: SharedDrillsOptions) {}

  /** Begins to look what runs. */
  start(): void {
    this.running = this.loop();
  }

  /** Ends behind the look under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Begins a drill: here at once, elsewhere at the next look. */
  async begin(drill: NewDrill, operator: string): Promise<void> {
    await this.options.system.transaction(
      (connection) => new SystemTx(connection),
      (tx) => storeDrill(tx, drill, operator),
    );
    await this.look();
  }

  /** Does to this process's calls what is said to run; one look behind the other, so that none forgets what a later one has seen. */
  look(): Promise<void> {
    const looked = this.looking.then(() => this.lookOnce());
    this.looking = looked.catch(() => {}); // Who asked for it is told.
    return looked;
  }

  private async lookOnce(): Promise<void> {
    const running = await this.options.system.transaction(
      (connection) => new SystemTx(connection, 'read only'),
      listRunningDrills,
    );
    this.heard.hear(running);
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await this.look().catch((error: unknown) => this.options.report(error, 'looking for drills'));
      await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {}); // Stopped.
    }
  }
}
