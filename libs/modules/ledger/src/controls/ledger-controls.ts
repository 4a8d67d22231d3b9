import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { type Database, SystemTx } from '@holdfast/database';
import type { Report } from '@holdfast/events';
import { callerOf, type Grants, TenantClosed, type TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { countBreaks, deleteMendedBreaks, recordBreaks } from './breaks.sql';
import { breaksFound, verifiedRowsTotal } from './controls-metrics';
import {
  claimControl,
  type ControlState,
  findHorizon,
  listTenantsToVerify,
  markBookedVerified,
  markFullProgress,
  markTickVerified,
  releaseControl,
  renewControl,
  type TenantToVerify,
} from './controls.sql';
import { isImporting } from './imports.sql';
import {
  beginFull,
  BOOKED_BEGINNING,
  type BookedMark,
  type FullProgress,
  type LedgerBreak,
  type VerifiedPage,
  verifyBooked,
  verifyPage,
} from './verify-ledger';

/** What the controls need of their process. */
export interface LedgerControlsOptions {
  readonly tenants: TenantDatabase;
  readonly relay: Database;
  readonly grants: Grants;
  readonly report: Report;
  /** Tests take smaller pages, and know that no clock is set back. */
  readonly pageSize?: number;
  readonly marginSeconds?: number;
}

/** Between two looks, the first of them after as long: what is booked is verified within some two minutes. */
const INTERVAL_MS = 60_000;
/** Longer than any page: a statement ends after 5 s. */
const LEASE_SECONDS = 60;
const MARGIN_SECONDS = 10;
const FULL_EVERY_SECONDS = 86_400;
const TENANTS_PER_LOOK = 500;
/** Pages of a tenant in one turn, of what was booked and of everything: some ten seconds each, and then another has its turn. */
const PAGES_PER_TURN = 100;
const COUNTED_MAX = 10_000;
const NO_TENANT = '00000000-0000-0000-0000-000000000000';

/** A ledger does not hold. Goes to the log with the row, once. */
export class LedgerBroken extends Error {
  override readonly name = 'LedgerBroken';

  constructor(tenantId: string, { rule, relation, rowId, expected }: LedgerBreak) {
    super(`tenant ${tenantId}, ${relation} ${rowId}, rule ${rule}: expected ${expected}`);
  }
}

/** A way through a ledger. */
interface Run<From> {
  verify(tx: TenantTx, from: From): Promise<VerifiedPage<From>>;
  /** Stores that the page from there is verified, and where the next one begins. */
  advance(tx: TenantTx, from: From, next: From | undefined): Promise<void>;
}

/** The ledger is in other hands: a page took this process longer than its lease. */
class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

/**
 * Verifies the ledgers of all tenants: every minute what was booked since the last time, and once a day everything. Any number
 * of processes may: the lease in a tenant's row decides whose its ledger is, and each page begins where the last one that was
 * committed has ended, in whatever process.
 */
export class LedgerControls {
  private readonly holder = newId();
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly options: LedgerControlsOptions) {}

  /** Begins to look for ledgers to verify. */
  start(): void {
    this.running = this.loop();
  }

  /** Ends after the page under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Gives each tenant that is due a turn, and answers whether one is not through. */
  async verifyDue(): Promise<boolean> {
    let isUnfinished = false;
    for (let after: string | undefined = NO_TENANT; after !== undefined && !this.stopping.signal.aborted;) {
      const from: string = after;
      const due = await this.system((tx) => listTenantsToVerify(tx, from, TENANTS_PER_LOOK));
      for (const tenant of due) {
        if (this.stopping.signal.aborted) break;
        const isThrough = await this.takeTurn(tenant);
        isUnfinished ||= !isThrough;
      }
      after = due.length < TENANTS_PER_LOOK ? undefined : due.at(-1)?.tenantId;
    }
    breaksFound.set(await this.system((tx) => countBreaks(tx, COUNTED_MAX)));
    return isUnfinished;
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping;
    for (let isUnfinished = false; !signal.aborted;) {
      if (!isUnfinished) await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {}); // Stopped.
      if (signal.aborted) return;
      isUnfinished = await this.verifyDue().catch((error: unknown) => {
        this.options.report(error, 'looking for ledgers to verify');
        return false;
      });
    }
  }

  /** Verifies some pages of the tenant's ledger; true when it is through, or in other hands, or cannot be verified now. */
  private async takeTurn({ tenantId, tick }: TenantToVerify): Promise<boolean> {
    const { grants, tenants, report } = this.options;
    try {
      const caller = callerOf(await grants.forSystem('ledger', tenantId), { requestId: newId() });
      const state = await tenants.transaction(caller, async (tx) =>
        (await isImporting(tx)) ? undefined : claimControl(tx, this.holder, LEASE_SECONDS),
      );
      if (!state) return true;
      try {
        const full = await this.begun(caller, state);
        const isUpToDate = await this.verifyRecent(caller, full?.mark ?? state.mark, tick);
        return (await this.verifyAll(caller, full?.progress)) && isUpToDate;
      } finally {
        await tenants.transaction(caller, (tx) => releaseControl(tx, this.holder));
      }
    } catch (error) {
      if (!(error instanceof TenantClosed)) report(error, `verifying the ledger of tenant ${tenantId}`);
      return true;
    }
  }

  /**
   * The run over everything that is under way or due, and from where on what is booked is to be verified besides: the first
   * run takes all that there is.
   */
  private async begun(
    caller: Caller,
    { full, isFullDue, mark }: ControlState,
  ): Promise<{ readonly progress: FullProgress; readonly mark: BookedMark } | undefined> {
    if (full) return { progress: full, mark };
    if (!isFullDue) return undefined;
    return this.held(caller, async (tx) => {
      const horizon = await findHorizon(tx, this.marginSeconds);
      const progress = await beginFull(tx);
      await markFullProgress(tx, progress, FULL_EVERY_SECONDS);
      if (mark.through !== BOOKED_BEGINNING.through) return { progress, mark };
      const first = { ...BOOKED_BEGINNING, through: horizon };
      await markBookedVerified(tx, first);
      return { progress, mark: first };
    });
  }

  private async verifyRecent(caller: Caller, from: BookedMark, tick: bigint): Promise<boolean> {
    const horizon = await this.held(caller, (tx) => findHorizon(tx, this.marginSeconds));
    return this.pages(caller, from, {
      verify: (tx, mark) => verifyBooked(tx, mark, horizon, this.options.pageSize),
      advance: async (tx, _, next) => {
        await markBookedVerified(tx, next ?? { ...BOOKED_BEGINNING, through: horizon });
        if (!next) await markTickVerified(tx, tick, horizon);
      },
    });
  }

  private async verifyAll(caller: Caller, from: FullProgress | undefined): Promise<boolean> {
    return this.pages(caller, from, {
      verify: (tx, progress) => verifyPage(tx, progress, this.options.pageSize),
      advance: async (tx, { startedAt }, next) => {
        await markFullProgress(tx, next, FULL_EVERY_SECONDS);
        if (!next) await deleteMendedBreaks(tx, startedAt);
      },
    });
  }

  /** Pages of a turn, each with what it found and how far it got in one transaction. True when there are no more. */
  private async pages<From>(caller: Caller, first: From | undefined, run: Run<From>): Promise<boolean> {
    let from = first;
    for (let count = 0; from !== undefined && count < PAGES_PER_TURN; count += 1) {
      if (this.stopping.signal.aborted) return false;
      const begin: From = from;
      const { page, fresh } = await this.held(caller, async (tx) => {
        // A tenant that is opened for an import has been empty so far.
        if (await isImporting(tx)) return { page: { checked: 0, breaks: [], next: undefined }, fresh: [] };
        const verified = await run.verify(tx, begin);
        const found = await recordBreaks(tx, verified.breaks);
        await run.advance(tx, begin, verified.next);
        return { page: verified, fresh: found };
      });
      verifiedRowsTotal.inc(page.checked);
      for (const each of fresh)
        this.options.report(
          new LedgerBroken(caller.tenantId, each),
          `verifying ${each.relation} ${each.rowId}`,
        );
      from = page.next;
    }
    return from === undefined;
  }

  private held<T>(caller: Caller, work: (tx: TenantTx) => Promise<T>): Promise<T> {
    return this.options.tenants.transaction(caller, async (tx) => {
      if (!(await renewControl(tx, this.holder, LEASE_SECONDS)))
        throw new LeaseLost('the ledger is in other hands');
      return work(tx);
    });
  }

  private system<T>(work: (tx: SystemTx) => Promise<T>): Promise<T> {
    return this.options.relay.transaction((connection) => new SystemTx(connection, 'read only'), work);
  }

  private get marginSeconds(): number {
    return this.options.marginSeconds ?? MARGIN_SECONDS;
  }
}
