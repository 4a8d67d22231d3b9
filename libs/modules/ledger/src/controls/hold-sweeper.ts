import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, newId } from '@holdfast/kernel';
import { type Database, isOutage, SystemTx } from '@holdfast/database';
import type { Report } from '@holdfast/events';
import { callerOf, type Grants, TenantClosed, type TenantDatabase } from '@holdfast/tenancy';
import { postBatch, type Posting } from '../posting/post-batch.sql';
import { expiredHoldsTotal, overdueHoldSeconds, staleTimeoutsTotal } from './controls-metrics';
import { isImporting } from './imports.sql';
import {
  deleteTimeouts,
  type DueHold,
  listDueHolds,
  listTenantsWithTimeouts,
  tryLockTimeouts,
} from './timeouts.sql';

/** What a sweeper needs of its process. */
export interface HoldSweeperOptions {
  readonly tenants: TenantDatabase;
  readonly relay: Database;
  readonly grants: Grants;
  readonly report: Report;
  /** Tests take smaller pages. */
  readonly pageSize?: number;
}

/** With the time that a page takes, money is free within a second of its hold's end. */
const INTERVAL_MS = 500;
/** Tenants of one look, and looks of one sweep: ten thousand that have open holds are gone through in a sweep. */
const TENANTS_PER_LOOK = 2_000;
const LOOKS_MAX = 5;
/** Tenants at a time: each holds a connection. */
const LANES = 3;
/** A page holds the locks of its accounts for some 50 ms. */
const PAGE_SIZE = 500;
/** Pages of one tenant in one sweep; then the others have their turn. */
const PAGES_MAX = 4;
/** A hold that cannot be ended is tried again after so long; a process remembers so many of them. */
const AGAIN_AFTER_MS = 60_000;
const FAILED_MAX = 10_000;
const NO_TENANT = '00000000-0000-0000-0000-000000000000';
const BEGINNING: DueHold = { holdId: NO_TENANT, expiresAt: '-infinity' };

/** What says that the hold has ended already or never was: then its row has nothing left to say. */
const ENDED: ReadonlySet<string> = new Set([
  'ledger.hold_posted',
  'ledger.hold_voided',
  'ledger.hold_expired',
  'ledger.hold_not_found',
]);

/**
 * Gives back holds whose time is over, of all tenants, suspended ones included. Any number of processes may.
 *
 * Whether a hold has ended is decided by `ledger.post_items` under the locks of its accounts, by whoever comes first: a post
 * or void after its time is refused whether or not a sweeper has been there, so being late costs nobody money. The sweeper
 * only looks which are due. It keeps nothing: one that is killed leaves its holds to the next.
 */
export class HoldSweeper {
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private sweptTo = NO_TENANT;
  /** Holds that could not be ended, and when they are tried again. */
  private readonly failed = new Map<string, number>();

  constructor(private readonly options: HoldSweeperOptions) {}

  /** Begins to sweep. */
  start(): void {
    this.running = this.loop();
  }

  /** Ends after the pages under way. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** Ends what is due, a few pages of each tenant, and answers how many holds that were. */
  async sweep(): Promise<number> {
    const due = await this.dueTenants();
    let expired = 0;
    const lane = async (): Promise<void> => {
      for (let tenant = due.shift(); tenant && !this.stopping.signal.aborted; tenant = due.shift()) {
        const more = await this.sweepTenant(tenant);
        expired += more; // Not in one: the sum would be read before the wait, and the other lanes' share lost.
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    return expired;
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const expired = await this.sweep().catch((error: unknown) => {
        this.options.report(error, 'looking for holds whose time is over');
        return 0;
      });
      // Stopped while waiting.
      if (expired === 0) await sleep(INTERVAL_MS, undefined, { signal }).catch(() => {});
    }
  }

  private async dueTenants(): Promise<string[]> {
    const due: string[] = [];
    let overdueSeconds = 0;
    for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
      const tenants = await this.options.relay.transaction(
        (connection) => new SystemTx(connection, 'read only'),
        (tx) => listTenantsWithTimeouts(tx, this.sweptTo, TENANTS_PER_LOOK),
      );
      for (const tenant of tenants) {
        overdueSeconds = Math.max(overdueSeconds, tenant.overdueSeconds);
        if (tenant.overdueSeconds >= 0) due.push(tenant.tenantId);
      }
      const isLast = tenants.length < TENANTS_PER_LOOK;
      this.sweptTo = isLast ? NO_TENANT : (tenants.at(-1)?.tenantId ?? NO_TENANT);
      if (isLast) break;
    }
    overdueHoldSeconds.set(overdueSeconds);
    return due;
  }

  private async sweepTenant(tenantId: string): Promise<number> {
    const { grants, tenants, report, pageSize = PAGE_SIZE } = this.options;
    let expired = 0;
    try {
      const caller = callerOf(await grants.forSystem('ledger', tenantId), { requestId: newId() });
      let after = BEGINNING;
      for (let pages = 0; pages < PAGES_MAX && !this.stopping.signal.aborted; pages += 1) {
        const page = await tenants.reading(caller, async (tx) =>
          (await isImporting(tx)) ? [] : listDueHolds(tx, after, pageSize),
        );
        const due = page.filter(({ holdId }) => (this.failed.get(holdId) ?? 0) <= Date.now());
        expired += await this.expire(caller, due);
        after = page.at(-1) ?? after;
        if (page.length < pageSize) break;
      }
    } catch (error) {
      if (!(error instanceof TenantClosed)) report(error, `ending holds of tenant ${tenantId}`);
    }
    return expired;
  }

  /** Ends the holds; a page that fails is halved until what makes it fail stands alone, is reported, and tried again later. */
  private async expire(caller: Caller, holds: readonly DueHold[]): Promise<number> {
    if (holds.length === 0) return 0;
    try {
      return await this.postExpiries(caller, holds);
    } catch (error) {
      if (holds.length === 1 || concernsAll(error)) {
        this.options.report(error, `ending ${holds.length} holds from ${holds[0]?.holdId}`);
        if (!concernsAll(error)) this.postpone(holds);
        return 0;
      }
      const middle = Math.ceil(holds.length / 2);
      return (
        (await this.expire(caller, holds.slice(0, middle))) + (await this.expire(caller, holds.slice(middle)))
      );
    }
  }

  private postpone(holds: readonly DueHold[]): void {
    if (this.failed.size >= FAILED_MAX) this.failed.clear();
    for (const { holdId } of holds) this.failed.set(holdId, Date.now() + AGAIN_AFTER_MS);
  }

  private async postExpiries(caller: Caller, holds: readonly DueHold[]): Promise<number> {
    const { tenants } = this.options;
    const results = await tenants.transaction(caller, async (tx) => {
      if (!(await tryLockTimeouts(tx))) return [];
      return postBatch(
        tx,
        holds.map(({ holdId }) => expiryOf(caller, holdId)),
      );
    });
    const expired = results.filter(({ result }) => result === 'created').length;
    expiredHoldsTotal.inc(expired);
    // Not due by the clock of the decision is no end: the row stays, and is found again.
    const ended = holds.filter((_, index) => ENDED.has(results[index]?.result ?? ''));
    if (ended.length > 0) {
      const ids = ended.map(({ holdId }) => holdId);
      // Mostly whoever ended the hold in the meantime has taken its row away.
      staleTimeoutsTotal.inc(await tenants.transaction(caller, (tx) => deleteTimeouts(tx, ids)));
    }
    return expired;
  }
}

function expiryOf(caller: Caller, holdId: string): Posting {
  return {
    ...{ caller, id: newId(), idGiven: false, idempotencyKey: null, kind: 'expiry', targetId: holdId },
    ...{
      debitAccountId: null,
      creditAccountId: null,
      amount: 0n,
      metadata: {},
      terms: null,
      detailed: false,
    },
  };
}

/** Whether the error says nothing about any of the holds: then halving would only repeat it. */
function concernsAll(error: unknown): boolean {
  return isOutage(error) || error instanceof TenantClosed;
}
