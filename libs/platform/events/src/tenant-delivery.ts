import { type Caller, Deadline, JOB_TRANSACTION_MS, newId } from '@holdfast/kernel';
import { callerOf, type Grants, TenantClosed, type TenantDatabase, type TenantTx } from '@holdfast/tenancy';
import { type ConsumerDeclaration, declarationOf, type TenantConsumer } from './consumer';
import { isGroupFault, isTickGone, reasonOf } from './delivery-failures';
import { countDelivered, failuresTotal } from './delivery-metrics';
import { FailingKeys } from './failing-keys';
import { ParkedDelivery } from './parked-delivery';
import type { RecordedEvent } from './recorded-event';
import type { Report } from './report';
import { rewindTenant } from './rewind';
import { at } from './steps';
import {
  askTenantToRewind,
  lockTenantCursor,
  markTenantDelivered,
  markTenantFailed,
  takePage,
} from './tenant-cursors.sql';
import { TenantPage } from './tenant-page';

/** One page is one transaction: large enough to pay for it, small enough to hold its locks briefly. */
const PAGE_MAX = 200;
const PAGE_MIN = 10;
/** A wake-up ends after so long and goes to the back of its queue, so that backlogs do not keep a worker from the others. */
const SLICE_MS = 100;
/** A page that takes longer is followed by one of half its size: a slice is little more than its time, however slow a group. */
const PAGE_MS = 100;

/** What became of a page. */
interface Outcome {
  /** Behind it there are events that could be delivered at once. */
  readonly isMore: boolean;
  /** Those of them that took effect. */
  readonly effects: readonly RecordedEvent[];
  /** Parked events of the tenant are due. */
  readonly isParkedDue: boolean;
}

const NOTHING: Outcome = { isMore: false, effects: [], isParkedDue: false };

/** Delivers to one tenant group, tenant by tenant. */
export class TenantDelivery {
  private readonly declaration: ConsumerDeclaration;
  private readonly parked: ParkedDelivery;
  private pageSize = PAGE_MAX;

  constructor(
    private readonly consumer: TenantConsumer,
    private readonly tenants: TenantDatabase,
    private readonly grants: Grants,
    private readonly report: Report,
  ) {
    this.declaration = declarationOf(consumer);
    this.parked = new ParkedDelivery(consumer, tenants, report);
  }

  /**
   * Delivers what the tenant's log holds behind the cursor, and what is parked and due, for about 100 ms. True where that
   * was not all: whoever called goes on behind the others that wait.
   *
   * The effect and the cursor commit together, so an event takes effect once however often it is delivered. Another
   * worker that finds the cursor locked skips the tenant; a worker that dies loses nothing, because its transaction never
   * was. Failures are noted on the key or the cursor and never thrown. Told to stop, it ends after the page under way.
   */
  async deliver(tenantId: string, stopping: AbortSignal = new AbortController().signal): Promise<boolean> {
    const endsAtMs = performance.now() + SLICE_MS;
    while (!stopping.aborted) {
      const { isMore, isParkedDue } = await this.deliverPage(tenantId);
      if (isParkedDue && (await this.deliverParked(tenantId, stopping))) return true;
      // What is committed behind the last page wakes the tenant again.
      if (!isMore) return false;
      if (performance.now() > endsAtMs) return true;
    }
    return false;
  }

  /** Delivers a page; where that fails, key by key, and parks the keys that fail alone. */
  private async deliverPage(tenantId: string): Promise<Outcome> {
    const failing = new FailingKeys();
    for (let byKey = false; ; byKey = true) {
      try {
        const startedAtMs = performance.now();
        const outcome = await this.transact(await this.pageCallerFor(tenantId), byKey ? failing : undefined);
        await at('tenant-delivery.committed');
        countDelivered(this.declaration.group, outcome.effects);
        this.adapt(performance.now() - startedAtMs);
        return outcome;
      } catch (error) {
        // Nothing is owed to a tenant that is being erased.
        if (error instanceof TenantClosed) return NOTHING;
        failuresTotal.inc({ group: this.declaration.group });
        this.report(error, `delivering to ${this.declaration.group} for tenant ${tenantId}`);
        await at('tenant-delivery.failed');
        if (isTickGone(error) && this.declaration.replay !== 'never') await this.rewind(tenantId);
        else if (!isGroupFault(error) && (!byKey || failing.note(error))) continue;
        else await this.postpone(tenantId, error);
        return NOTHING;
      }
    }
  }

  /**
   * Delivers a page and moves the cursor in one transaction. What has failed was rolled back, and this is another one: what
   * a handler that failed may still have under way is refused, where behind a savepoint it would take effect.
   */
  private transact(caller: Caller, failing: FailingKeys | undefined): Promise<Outcome> {
    const { group } = this.declaration;
    return this.tenants.transaction(caller, async (tx) => {
      const taken = await takePage(tx, group, this.pageSize);
      await at(taken ? 'tenant-delivery.locked' : 'tenant-delivery.occupied');
      if (!taken) return NOTHING;
      const { state, events, isParking, isDue, isMore, fromTick, toTick } = taken;
      if (state === 'paused') return NOTHING;
      if (state === 'outdated') return await this.goBack(tx);
      if (state === 'waiting') return { ...NOTHING, isParkedDue: isDue };
      if (events.length === 0) return { ...NOTHING, isMore, isParkedDue: isDue };
      failing?.begin(taken);
      await at('tenant-delivery.read');
      const page = new TenantPage(tx, this.consumer, this.declaration);
      const effects = await page.take(events, isParking, failing);
      await at('tenant-delivery.applied');
      const last = events.at(-1);
      // The cursor has moved already, unless the page was full. Sent with the commit, which fails where this fails.
      if (last && toTick !== null)
        void markTenantDelivered(tx, group, { fromTick, toTick, afterSeq: last.seq }).catch(() => {}); // Thrown by the commit.
      await at('tenant-delivery.moved');
      return { isMore, effects, isParkedDue: isDue };
    });
  }

  /** Does what operators have asked for: a replay begins with the cursor's way back. */
  private async goBack(tx: TenantTx): Promise<Outcome> {
    const cursor = await lockTenantCursor(tx, this.declaration.group);
    if (!cursor) return NOTHING;
    await rewindTenant(tx, this.consumer, cursor);
    await at('tenant-delivery.rewound');
    return { ...NOTHING, isMore: true };
  }

  /** Whether more is parked and due than there was time for. */
  private async deliverParked(tenantId: string, stopping: AbortSignal): Promise<boolean> {
    try {
      return await this.parked.deliver(await this.callerFor(tenantId), stopping);
    } catch (error) {
      if (!(error instanceof TenantClosed)) this.report(error, `looking at what ${tenantId} has parked`);
      return false;
    }
  }

  private adapt(tookMs: number): void {
    if (tookMs > PAGE_MS) this.pageSize = Math.max(PAGE_MIN, this.pageSize >> 1);
    else if (tookMs < PAGE_MS / 4) this.pageSize = Math.min(PAGE_MAX, this.pageSize * 2);
  }

  /** Of one page: what has not come to its end by then is rolled back, and its connection is kept. */
  private async pageCallerFor(tenantId: string): Promise<Caller> {
    return { ...(await this.callerFor(tenantId)), deadline: Deadline.in(JOB_TRANSACTION_MS) };
  }

  private async callerFor(tenantId: string): Promise<Caller> {
    return callerOf(await this.grants.forSystem(this.declaration.group, tenantId), { requestId: newId() });
  }

  /** A replay can name a tick that is thinned at the same moment; the one before it does as well. */
  private async rewind(tenantId: string): Promise<void> {
    const { group } = this.declaration;
    try {
      await this.tenants.transaction(await this.callerFor(tenantId), async (tx) => {
        const cursor = await lockTenantCursor(tx, group);
        if (cursor) await askTenantToRewind(tx, group, cursor.fromTick);
      });
    } catch (error) {
      // The database is away: the next delivery finds the same.
      this.report(error, `rewinding ${group} for tenant ${tenantId}`);
    }
  }

  private async postpone(tenantId: string, failure: unknown): Promise<void> {
    const { group, retry } = this.declaration;
    try {
      await this.tenants.transaction(await this.callerFor(tenantId), (tx) =>
        markTenantFailed(tx, group, { ...retry, share: Math.random(), error: reasonOf(failure) }),
      );
    } catch (error) {
      // The database is away: the cursor stands where it stood, and the relay wakes the tenant again.
      this.report(error, `postponing ${group} for tenant ${tenantId}`);
    }
  }
}
