import { type Caller, newId } from '@holdfast/kernel';
import { counter } from '@holdfast/observability';
import { callerOf, Grants, TenantClosed, TenantDatabase } from '@holdfast/tenancy';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type CredentialUse, writeCredentialUses } from './credential-uses.sql';

/** Uses wait this long for each other. What a process that is killed loses. */
const FLUSH_AFTER_MS = 5_000;
/** A use that was written is not written again for so long: last use is told to the minute. */
const QUIET_MS = 60_000;
/** Uses that wait, and uses that are quiet, each some 200 bytes: 10 MB. */
const WAITING_MAX = 10_000;
const QUIET_MAX = 50_000;
/** Addresses of one credential that are written together. More at once is an attack, and the first tell as much as all. */
const ADDRESSES_MAX = 16;

const dropped = counter({
  name: 'holdfast_credential_uses_dropped_total',
  help: 'Uses of credentials that were not recorded, by reason (full, addresses, closed).',
  labels: ['reason'],
});
const failures = counter({
  name: 'holdfast_credential_uses_failures_total',
  help: 'Writes of the uses of one tenant’s credentials that failed and are tried again.',
});

/**
 * Records which credential was used when and from where, behind the requests: it never fails or slows one. A use is in the
 * database within seconds; kill -9 loses what came in the last five of them, and the next use from there tells it again.
 * While the database is away uses wait, up to a limit, and those beyond are counted as dropped.
 */
@Injectable()
export class CredentialUses implements OnApplicationShutdown {
  private waiting = new Map<string, CredentialUse & { readonly tenantId: string }>();
  private readonly addresses = new Map<string, number>();
  private readonly quiet = new LRUCache<string, true>({ max: QUIET_MAX, ttl: QUIET_MS });
  private timer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> = Promise.resolve();

  constructor(
    private readonly grants: Grants,
    private readonly tenants: TenantDatabase,
  ) {}

  /** Notes that the caller's credential was used from an address. Who acts in support of a tenant has events of their own. */
  record({ tenantId, actor, act }: Caller, address: string): void {
    const isOwn = actor.startsWith('api_key:') || (actor.startsWith('member:') && act === undefined);
    if (!isOwn) return;
    const key = `${tenantId} ${actor} ${address}`;
    const known = this.waiting.get(key);
    if (known) known.lastMs = Date.now();
    else if (!this.quiet.has(key)) this.add(key, { tenantId, credential: actor, address });
  }

  /** Writes what waits. One flush follows the other. */
  flush(): Promise<void> {
    return (this.flushing = this.flushing.then(() => this.write()));
  }

  /** The answers are out; what they used is written before the pools close. */
  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.timer);
    await this.flush();
  }

  private add(key: string, use: Pick<CredentialUse, 'credential' | 'address'> & { tenantId: string }): void {
    const owner = `${use.tenantId} ${use.credential}`;
    const addresses = this.addresses.get(owner) ?? 0;
    if (this.waiting.size >= WAITING_MAX) return dropped.inc({ reason: 'full' });
    if (addresses >= ADDRESSES_MAX) return dropped.inc({ reason: 'addresses' });
    this.addresses.set(owner, addresses + 1);
    const now = Date.now();
    this.waiting.set(key, { ...use, firstMs: now, lastMs: now });
    this.timer ??= setTimeout(() => void this.flush(), FLUSH_AFTER_MS).unref();
  }

  private async write(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const taken = this.waiting;
    this.waiting = new Map();
    this.addresses.clear();
    const ofTenants = Map.groupBy(taken.entries(), ([, { tenantId }]) => tenantId);
    for (const [tenantId, entries] of ofTenants) {
      try {
        await this.writeTenant(
          tenantId,
          entries.map(([, use]) => use),
        );
        for (const [key] of entries) this.quiet.set(key, true);
      } catch (error) {
        this.putBack(entries, error);
      }
    }
  }

  private async writeTenant(tenantId: string, uses: readonly CredentialUse[]): Promise<void> {
    const grant = await this.grants.forSystem('identity', tenantId);
    await this.tenants.transaction(callerOf(grant, { requestId: newId() }), (tx) =>
      writeCredentialUses(tx, uses),
    );
  }

  /** What could not be written waits for the next flush; of a tenant that is gone there is nothing more to write. */
  private putBack(
    entries: readonly [string, CredentialUse & { readonly tenantId: string }][],
    error: unknown,
  ): void {
    if (error instanceof TenantClosed) return dropped.inc({ reason: 'closed' }, entries.length);
    failures.inc();
    for (const [key, use] of entries) {
      const again = this.waiting.get(key);
      const fits = this.waiting.size < WAITING_MAX;
      if (again || fits) this.waiting.set(key, { ...use, lastMs: again?.lastMs ?? use.lastMs });
      else dropped.inc({ reason: 'full' });
    }
    this.timer ??= setTimeout(() => void this.flush(), FLUSH_AFTER_MS).unref();
  }
}
