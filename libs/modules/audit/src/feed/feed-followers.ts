import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { TooManyFollowers } from '../audit.errors';
import { feedFollowers } from './feed-metrics';

/** Requests of one tenant that wait in this process: a few consumers, each with one. */
const TENANT_FOLLOWERS_MAX = 10;
/** Requests that wait in this process. Each looks once in half a second, which costs some 0.3 ms: 3 % of a core in all. */
const FOLLOWERS_MAX = 100;
/** Events are sealed within seconds, so looking more often would find little more. */
const PACE_MS = 500;

/** The requests that wait for more of the feed, within limits; ends them all when the process stops. */
@Injectable()
export class FeedFollowers implements OnModuleDestroy {
  private readonly stopping = new AbortController();
  private readonly perTenant = new Map<string, number>();
  private count = 0;

  /** Looks until something is found, the time is over, or the process stops. Throws TooManyFollowers. */
  async follow<T>(
    tenantId: string,
    waitMs: number,
    look: () => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const leave = this.enter(tenantId);
    try {
      for (const until = performance.now() + waitMs; ;) {
        const pauseMs = Math.min(PACE_MS, until - performance.now());
        if (pauseMs <= 0 || !(await this.pause(pauseMs))) return undefined;
        const found = await look();
        if (found !== undefined) return found;
      }
    } finally {
      leave();
    }
  }

  onModuleDestroy(): void {
    this.stopping.abort();
  }

  /** False when the process stops meanwhile. */
  private async pause(ms: number): Promise<boolean> {
    if (this.stopping.signal.aborted) return false;
    await sleep(ms, undefined, { signal: this.stopping.signal }).catch(() => {}); // The process stops.
    return !this.stopping.signal.aborted;
  }

  private enter(tenantId: string): () => void {
    const ofTenant = this.perTenant.get(tenantId) ?? 0;
    // Once half of the places are taken, the others go to tenants that have none.
    const mostOfTenant = this.count < FOLLOWERS_MAX / 2 ? TENANT_FOLLOWERS_MAX : 1;
    if (ofTenant >= mostOfTenant || this.count >= FOLLOWERS_MAX) throw new TooManyFollowers();
    this.perTenant.set(tenantId, ofTenant + 1);
    this.count += 1;
    feedFollowers.inc();
    return () => {
      const left = (this.perTenant.get(tenantId) ?? 1) - 1;
      if (left > 0) this.perTenant.set(tenantId, left);
      else this.perTenant.delete(tenantId);
      this.count -= 1;
      feedFollowers.dec();
    };
  }
}
