import { type Caller, newId } from '@holdfast/kernel';
import { counter } from '@holdfast/observability';
import { TenantDatabase } from '@holdfast/tenancy';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { insertOrigins, type Origin } from './origins.sql';

/** Origins wait this long for each other: what a process that is killed loses. */
const FLUSH_AFTER_MS = 1_000;
/** Of all tenants, some 500 bytes each: 5 MB. */
const WAITING_MAX = 10_000;
const BATCH_MAX = 1_000;
/** Of one tenant in that time: as many as leave events of their own, and a few of those that were refused, which leave one for many. */
const TENANT_MAX = 2_000;
const TENANT_REFUSED_MAX = 10;

const dropped = counter({
  name: 'holdfast_audit_origins_dropped_total',
  help: 'Requests whose address was not recorded, by reason (full, tenant, failed).',
  labels: ['reason'],
});

interface Waiting {
  readonly caller: Caller;
  readonly origin: Origin;
}

/**
 * Records from where requests came that ran commands, in batches behind the answers: none waits for it, or fails because of
 * it. What does not fit into memory, or cannot be written, is counted and left out; the events are there all the same.
 */
@Injectable()
export class RequestOrigins implements OnApplicationShutdown {
  private waiting: Waiting[] = [];
  private readonly counts = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> = Promise.resolve();

  constructor(private readonly tenants: TenantDatabase) {}

  /** Notes an answered request. */
  record(caller: Caller, came: Pick<Origin, 'route' | 'status' | 'address' | 'userAgent'>): void {
    if (this.waiting.length >= WAITING_MAX) return dropped.inc({ reason: 'full' });
    const kind = `${caller.tenantId} ${came.status < 400 ? 'done' : 'refused'}`;
    const ofKind = this.counts.get(kind) ?? 0;
    if (ofKind >= (came.status < 400 ? TENANT_MAX : TENANT_REFUSED_MAX))
      return dropped.inc({ reason: 'tenant' });
    this.counts.set(kind, ofKind + 1);
    const { requestId, actor } = caller;
    const answeredAt = new Date().toISOString();
    this.waiting.push({ caller, origin: { id: newId(), requestId, actor, answeredAt, ...came } });
    this.timer ??= setTimeout(() => void this.flush(), FLUSH_AFTER_MS).unref();
  }

  /** Writes what waits. One flush follows the other. */
  flush(): Promise<void> {
    return (this.flushing = this.flushing.then(() => this.write()));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.flush();
  }

  private async write(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const taken = this.waiting;
    this.waiting = [];
    this.counts.clear();
    for (const ofTenant of Map.groupBy(taken, ({ caller }) => caller.tenantId).values())
      for (let start = 0; start < ofTenant.length; start += BATCH_MAX)
        await this.writeBatch(ofTenant.slice(start, start + BATCH_MAX));
  }

  /** By the grant of the latest, which is good for longest. */
  private async writeBatch(batch: readonly Waiting[]): Promise<void> {
    const latest = batch.at(-1);
    if (!latest) return;
    const origins = batch.map(({ origin }) => origin);
    try {
      await this.tenants.transaction(latest.caller, (tx) => insertOrigins(tx, origins));
    } catch {
      // The tenant is closed, or the database away: whence a request came is worth no second try that piles up.
      dropped.inc({ reason: 'failed' }, batch.length);
    }
  }
}
