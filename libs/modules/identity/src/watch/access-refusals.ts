import { createHash } from 'node:crypto';
import { newId } from '@holdfast/kernel';
import { counter } from '@holdfast/observability';
import {
  announcement,
  callerOf,
  Grants,
  type KeyOwner,
  TenantClosed,
  TenantDatabase,
} from '@holdfast/tenancy';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { accessRefused } from '../identity.events';

/** Refusals of one kind to one actor at one route, as they are told together. */
interface Waiting {
  /** The actor and its tenant, or the hash of a key that opened nothing and may still be somebody's. */
  readonly of: KeyOwner | Buffer;
  readonly code: string;
  readonly route: string;
  readonly fromMs: number;
  toMs: number;
  count: number;
}

type Attributed = Waiting & { readonly of: KeyOwner };

/** The first refusal of its kind is told within this time, those that follow once a minute. */
const FLUSH_AFTER_MS = 1_000;
const QUIET_MS = 60_000;
/** Kinds that wait, and kinds that are quiet, each some 300 bytes: 20 MB. */
const WAITING_MAX = 10_000;
const QUIET_MAX = 50_000;
/** Kinds that one flush takes: whose keys they are is one look-up. */
const FLUSHED_MAX = 1_000;

const dropped = counter({
  name: 'holdfast_access_refusals_dropped_total',
  help: 'Refusals that were not announced to a tenant, by reason (full, nobody, closed).',
  labels: ['reason'],
});
const failures = counter({
  name: 'holdfast_access_refusals_failures_total',
  help: 'Announcements of one tenant’s refusals that failed and are tried again.',
});

/**
 * Announces to tenants what their credentials were refused, behind the answers: the first refusal of its kind (actor, code,
 * route) within a second, those that follow it together once a minute, so that an attacker writes no more than that.
 * kill -9 loses the counts of the last minute, and a database that is away only defers them.
 */
@Injectable()
export class AccessRefusals implements OnApplicationShutdown {
  private waiting = new Map<string, Waiting>();
  private readonly quiet = new LRUCache<string, true>({ max: QUIET_MAX, ttl: QUIET_MS });
  private timer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> = Promise.resolve();

  constructor(
    private readonly grants: Grants,
    private readonly tenants: TenantDatabase,
  ) {}

  /** Notes what was refused to an actor. `route` is its pattern and holds no values. */
  record(owner: KeyOwner, code: string, route: string): void {
    this.add([owner.tenantId, owner.actor, owner.act].join(' '), { of: owner, code, route });
  }

  /** Notes that a key was refused altogether. Of the key only its hash is kept. */
  recordKey(key: string, code: string, route: string): void {
    const hash = createHash('sha256').update(key).digest();
    this.add(hash.toString('hex'), { of: hash, code, route });
  }

  /** Announces what is due, or everything. One flush follows the other. */
  flush(everything = false): Promise<void> {
    return (this.flushing = this.flushing.then(() => this.announce(everything)));
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.timer);
    await this.flush(true);
  }

  private add(who: string, refusal: Pick<Waiting, 'of' | 'code' | 'route'>): void {
    const kind = `${who} ${refusal.code} ${refusal.route}`;
    const known = this.waiting.get(kind);
    const now = Date.now();
    if (known) {
      known.count += 1;
      known.toMs = now;
    } else if (this.waiting.size < WAITING_MAX) {
      this.waiting.set(kind, { ...refusal, fromMs: now, toMs: now, count: 1 });
      this.schedule();
    } else dropped.inc({ reason: 'full' });
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => void this.flush(), FLUSH_AFTER_MS).unref();
  }

  private async announce(everything: boolean): Promise<void> {
    this.timer = undefined;
    const due = [...this.waiting]
      .filter(([kind]) => everything || !this.quiet.has(kind))
      .slice(0, FLUSHED_MAX);
    for (const [kind] of due) {
      this.waiting.delete(kind);
      this.quiet.set(kind, true);
    }
    try {
      await this.tell(await this.attribute(due));
    } catch {
      this.putBack(due);
    }
    if (this.waiting.size > 0) this.schedule();
  }

  /** Puts owners in the place of keys. A key that nobody has is nobody's news. */
  private async attribute(due: readonly [string, Waiting][]): Promise<[string, Attributed][]> {
    const hashes = due.map(([, { of }]) => of).filter((of) => Buffer.isBuffer(of));
    const owners = hashes.length > 0 ? await this.grants.ownersOf(hashes) : new Map<string, KeyOwner>();
    return due.flatMap(([kind, waiting]) => {
      const owner = Buffer.isBuffer(waiting.of) ? owners.get(waiting.of.toString('hex')) : waiting.of;
      if (!owner) dropped.inc({ reason: 'nobody' }, waiting.count);
      return owner ? [[kind, { ...waiting, of: owner }]] : [];
    });
  }

  private async tell(attributed: readonly [string, Attributed][]): Promise<void> {
    const ofTenants = Map.groupBy(attributed, ([, { of }]) => of.tenantId);
    for (const [tenantId, entries] of ofTenants) {
      try {
        await this.tellTenant(
          tenantId,
          entries.map(([, waiting]) => waiting),
        );
      } catch (error) {
        if (error instanceof TenantClosed) dropped.inc({ reason: 'closed' }, entries.length);
        else this.putBack(entries);
      }
    }
  }

  private async tellTenant(tenantId: string, refusals: readonly Attributed[]): Promise<void> {
    const grant = await this.grants.forSystem('identity', tenantId);
    await this.tenants.transaction(callerOf(grant, { requestId: newId() }), (tx) =>
      tx.announce(...refusals.map(eventOf)),
    );
  }

  private putBack(entries: readonly [string, Waiting][]): void {
    failures.inc();
    for (const [kind, { count, ...waiting }] of entries) {
      this.quiet.delete(kind);
      const since = this.waiting.get(kind);
      const toMs = since?.toMs ?? waiting.toMs;
      this.waiting.set(kind, { ...waiting, toMs, count: count + (since?.count ?? 0) });
    }
  }
}

/** Each is a stream of its own: nothing has to be locked, and none follows from another. */
function eventOf({ of, code, route, count, fromMs, toMs }: Attributed): ReturnType<typeof announcement> {
  const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()];
  const { actor, act = null } = of;
  return announcement(
    accessRefused,
    { id: newId(), version: 1n },
    { actor, act, code, route, count, from, to },
  );
}
