import { type Caller, newId } from '@holdfast/kernel';
import { callerOf, type Grants, TenantClosed, type TenantDatabase } from '@holdfast/tenancy';
import { type ConsumerDeclaration, declarationOf, type TenantConsumer, wants } from './consumer';
import { withDeadline } from './deadline';
import { countDelivered, failuresTotal } from './delivery-metrics';
import type { RecordedEvent } from './recorded-event';
import type { Report } from './report';
import { at } from './steps';
import {
  listTenantRange,
  lockTenantCursor,
  markTenantDelivered,
  markTenantFailed,
} from './tenant-cursors.sql';
import { upcast } from './upcast';

/** One page is one transaction: large enough to pay for it, small enough to hold its locks briefly. */
const PAGE_MAX = 200;
/** A wake-up ends after so many pages, so that one tenant's backlog does not keep a worker from the others. */
const PAGES_PER_WAKE_UP = 20;
/** Under the 10 s after which PostgreSQL ends a transaction that idles. */
const DELIVERY_TIMEOUT_MS = 8_000;

/** Delivers to one tenant group, tenant by tenant. */
export class TenantDelivery {
  private readonly declaration: ConsumerDeclaration;

  constructor(
    private readonly consumer: TenantConsumer,
    private readonly tenants: TenantDatabase,
    private readonly grants: Grants,
    private readonly report: Report,
  ) {
    this.declaration = declarationOf(consumer);
  }

  /**
   * Delivers what the tenant's log holds behind the cursor, up to a bound; what remains lags, and the relay sees it.
   *
   * The effect and the cursor commit together, so an event takes effect once however often it is delivered. Another
   * worker that finds the cursor locked skips the tenant; a worker that dies loses nothing, because its transaction never
   * was. Failures are noted on the cursor and never thrown. Told to stop, it ends after the page under way.
   */
  async deliver(tenantId: string, stopping: AbortSignal = new AbortController().signal): Promise<void> {
    for (let pages = 0; pages < PAGES_PER_WAKE_UP && !stopping.aborted; pages += 1)
      if (!(await this.deliverPage(tenantId))) return;
  }

  /** Delivers a page; answers whether it was full. What is committed behind one that was not wakes the tenant again. */
  private async deliverPage(tenantId: string): Promise<boolean> {
    try {
      const caller = callerOf(await this.grants.forSystem(this.declaration.group, tenantId), {
        requestId: newId(),
      });
      const events = await this.transact(caller);
      await at('tenant-delivery.committed');
      if (events) countDelivered(this.declaration.group, events);
      return events !== undefined && events.length >= PAGE_MAX;
    } catch (error) {
      // Nothing is owed to a tenant that is being erased.
      if (error instanceof TenantClosed) return false;
      failuresTotal.inc({ group: this.declaration.group });
      this.report(error, `delivering to ${this.declaration.group} for tenant ${tenantId}`);
      await at('tenant-delivery.failed');
      await this.postpone(tenantId, error);
      return false;
    }
  }

  private transact(caller: Caller): Promise<readonly RecordedEvent[] | undefined> {
    return this.tenants.transaction(caller, async (tx) => {
      const cursor = await lockTenantCursor(tx, this.declaration.group);
      await at(cursor ? 'tenant-delivery.locked' : 'tenant-delivery.occupied');
      if (!cursor || cursor.waiting) return undefined;
      const toTick = cursor.toTick ?? cursor.newest;
      // The tick that was read may be older than a cursor that moved while its lock was being taken.
      if (toTick <= cursor.fromTick) return [];
      // Halved with each failure, so that what stands before a poisoned event gets through.
      const limit = Math.max(1, PAGE_MAX >> Math.min(cursor.attempts, 10));
      const events = await listTenantRange(tx, { ...cursor, toTick }, limit);
      await at('tenant-delivery.read');
      const wanted = events.filter(({ type }) => wants(this.declaration, type)).map(upcast);
      if (wanted.length > 0) await withDeadline(this.consumer.deliver(tx, wanted), DELIVERY_TIMEOUT_MS);
      await at('tenant-delivery.applied');
      const last = events.length === limit ? events.at(-1) : undefined;
      const within = last && { fromTick: cursor.fromTick, toTick, afterSeq: last.seq };
      await markTenantDelivered(
        tx,
        this.declaration.group,
        within ?? { fromTick: toTick, toTick: null, afterSeq: 0n },
      );
      await at('tenant-delivery.moved');
      return events;
    });
  }

  private async postpone(tenantId: string, failure: unknown): Promise<void> {
    try {
      const caller = callerOf(await this.grants.forSystem(this.declaration.group, tenantId), {
        requestId: newId(),
      });
      const reason = String(failure).slice(0, 200);
      await this.tenants.transaction(caller, (tx) =>
        markTenantFailed(tx, this.declaration.group, Math.random(), reason),
      );
    } catch (error) {
      // The database is away: the cursor stands where it stood, and the relay wakes the tenant again.
      this.report(error, `postponing ${this.declaration.group} for tenant ${tenantId}`);
    }
  }
}
