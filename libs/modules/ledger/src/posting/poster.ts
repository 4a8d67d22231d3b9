import { type Caller, type CommittedEvent, type CommittedEvents, DeadlinePassed } from '@holdfast/kernel';
import { isOutage, TenantContextRefused } from '@holdfast/database';
import { counter, gauge, histogram } from '@holdfast/observability';
import { readGrant, type TenantDatabase } from '@holdfast/tenancy';
import type { OnApplicationShutdown } from '@nestjs/common';
import { GrantExpired, LedgerOverloaded } from '../ledger.errors';
import { eventIdsFor, postBatch, type Posting, type PostingResult } from './post-batch.sql';
import { committedEventsOf, replayedStreamsOf } from './posted-events';
import { listPostedEvents, type PostedStream } from './replayed-events.sql';

/** The bounds of a poster. */
export interface PosterLimits {
  /**
   * Items of one batch. Beyond some 2,000 the cost per item no longer falls, and locks are held for longer. A chain that is
   * longer is a batch by itself.
   */
  readonly batchMax: number;
  /** Batches in flight in this process: each holds a connection, and the reads need some as well. */
  readonly flightsMax: number;
  /** Items waiting, of one tenant: two of the largest requests, and about a second of work. */
  readonly queuedPerTenantMax: number;
  /** Items waiting, of all tenants; at a kilobyte or so each, 64 MB. */
  readonly queuedMax: number;
  /** Failed batches after which what is left of a batch fails with the error instead of being halved further. */
  readonly failuresMax: number;
}

const LIMITS: PosterLimits = {
  batchMax: 2_000,
  flightsMax: 4,
  queuedPerTenantMax: 16_000,
  queuedMax: 64_000,
  failuresMax: 64,
};

interface Waiting {
  readonly posting: Posting;
  readonly resolve: (result: PostingResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Items that take effect together: one, or those that are linked. They are of one request, and so of one caller. */
type Chain = readonly Waiting[];

/** What waits of one tenant. */
interface Queue {
  readonly chains: Chain[];
  items: number;
}

const batchItems = histogram({
  name: 'holdfast_ledger_batch_items',
  help: 'Transfers posted together in one transaction.',
  buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000],
});
const queuedItems = gauge({
  name: 'holdfast_ledger_queued_items',
  help: 'Transfers waiting for their batch.',
});

/**
 * Posts transfers in batches by group commit: while a batch of a tenant is in flight, what arrives collects, and goes
 * when it returns. An idle tenant's transfer goes at once and alone, so batching costs no latency and grows with load.
 *
 * One batch per tenant is in flight, so a tenant's transfers are posted in the order of their arrival; at most
 * `flightsMax` of all tenants, which take turns. Beyond the limits of the queue LedgerOverloaded refuses. A batch that
 * fails is halved until the item that makes it fail stands alone; an error that says nothing about the items (lost
 * connection, unknown outcome, busy database) goes to each of them as it is. Items that are linked stay together through all
 * of that: in the queue, in a batch and in its halves. An item whose grant has ended, by this process's clock or by the
 * database's, fails with GrantExpired, and its chain with it; one whose caller's
 * deadline has passed while it waited is not posted. `post` is any function that posts a batch of one tenant in one
 * transaction; other processes may post for the same tenant.
 */
export class Poster implements OnApplicationShutdown {
  private readonly queues = new Map<string, Queue>();
  /** Tenants that have work and no batch in flight, in the order of their turns. */
  private readonly turns = new Set<string>();
  private readonly flights = new Map<string, Promise<void>>();
  private readonly limits: PosterLimits;
  private queued = 0;
  private stopped = false;

  constructor(
    private readonly post: (postings: readonly Posting[]) => Promise<PostingResult[]>,
    limits: Partial<PosterLimits> = {},
  ) {
    this.limits = { ...LIMITS, ...limits };
  }

  /** Items waiting and batches in flight. */
  get load(): { readonly queued: number; readonly flights: number } {
    return { queued: this.queued, flights: this.flights.size };
  }

  /** Posts transfers of one caller, in their order; the results are in the same order. Takes all into the queue or none. */
  async submit(caller: Caller, postings: readonly Posting[]): Promise<PostingResult[]> {
    const queue = this.queues.get(caller.tenantId) ?? { chains: [], items: 0 };
    const { queuedMax, queuedPerTenantMax } = this.limits;
    const room = Math.min(queuedMax - this.queued, queuedPerTenantMax - queue.items);
    if (this.stopped || postings.length > room) throw new LedgerOverloaded();
    const results: Promise<PostingResult>[] = [];
    for (const chain of chainsOf(postings)) {
      const waiting = chain.map((posting) => {
        const { promise, resolve, reject } = Promise.withResolvers<PostingResult>();
        results.push(promise);
        return { posting, resolve, reject };
      });
      queue.chains.push(waiting);
      queue.items += waiting.length;
    }
    this.queues.set(caller.tenantId, queue);
    this.count(postings.length);
    if (!this.flights.has(caller.tenantId)) this.turns.add(caller.tenantId);
    this.dispatch();
    return Promise.all(results);
  }

  /** Refuses what comes from here on and waits until what is queued has been posted. */
  async stop(): Promise<void> {
    this.stopped = true;
    while (this.flights.size > 0) await Promise.all(this.flights.values());
  }

  /** Called by Nest once the server has answered its last request. */
  onApplicationShutdown(): Promise<void> {
    return this.stop();
  }

  private dispatch(): void {
    for (const tenantId of this.turns) {
      if (this.flights.size >= this.limits.flightsMax) return;
      this.turns.delete(tenantId);
      this.flights.set(tenantId, this.fly(tenantId));
    }
  }

  private async fly(tenantId: string): Promise<void> {
    const queue = this.queues.get(tenantId) ?? { chains: [], items: 0 };
    const batch = this.take(queue);
    await this.settle(batch, { failures: 0 });
    this.flights.delete(tenantId);
    if (queue.items > 0) this.turns.add(tenantId);
    else this.queues.delete(tenantId);
    this.dispatch();
  }

  /** Takes whole chains off the queue, as many as a batch holds and one at least. */
  private take(queue: Queue): Chain[] {
    let items = 0;
    let chains = 0;
    for (const { length } of queue.chains) {
      if (chains > 0 && items + length > this.limits.batchMax) break;
      items += length;
      chains += 1;
    }
    queue.items -= items;
    this.count(-items);
    return queue.chains.splice(0, chains);
  }

  /** Gives each of the batch its result or its error; never throws. */
  private async settle(batch: readonly Chain[], tally: { failures: number }): Promise<void> {
    const live = batch.filter((chain) => !refuseExpired(chain));
    const items = live.flat();
    if (items.length === 0) return;
    try {
      const results = await this.post(items.map(({ posting }) => posting));
      batchItems.observe(items.length);
      for (const [index, result] of results.entries()) items[index]?.resolve(result);
    } catch (error) {
      tally.failures += 1;
      if (live.length === 1 || isOutage(error) || tally.failures > this.limits.failuresMax) {
        for (const { reject } of items) reject(shown(error));
        return;
      }
      const middle = Math.ceil(live.length / 2);
      await this.settle(live.slice(0, middle), tally);
      await this.settle(live.slice(middle), tally);
    }
  }

  private count(more: number): void {
    this.queued += more;
    queuedItems.set(this.queued);
  }
}

/** Callers come with grants of the database's own making: one that it no longer takes has ended in the meantime. */
function shown(error: unknown): unknown {
  return error instanceof TenantContextRefused ? new GrantExpired({ cause: error }) : error;
}

function refuseExpired(chain: Chain): boolean {
  const [first] = chain;
  const isLate = first?.posting.caller.deadline?.leftMs === 0;
  const isExpired = first !== undefined && readGrant(first.posting.caller.grant).expiresAtMs <= Date.now();
  if (!isExpired && !isLate) return false;
  for (const { reject } of chain) reject(isExpired ? new GrantExpired() : new DeadlinePassed());
  return true;
}

/** The postings, each with those that it takes effect with. */
function chainsOf(postings: readonly Posting[]): Posting[][] {
  const chains: Posting[][] = [];
  let isOpen = false;
  for (const posting of postings) {
    if (isOpen) chains.at(-1)?.push(posting);
    else chains.push([posting]);
    isOpen = posting.terms?.linked === true;
  }
  return chains;
}

/** A poster whose batches are one transaction of the ledger each, in the name of the first item's caller. */
export function posterOver(tenants: TenantDatabase): Poster {
  return new Poster(async (postings) => {
    const [first] = postings;
    if (!first) return [];
    // The transaction is of one caller and the events of all: each request is told of its own, and no deadline of one ends the others.
    const caller = { ...first.caller, committed: undefined, deadline: undefined };
    const eventIds = eventIdsFor(postings);
    const results = await tenants.transaction(caller, (tx) => postBatch(tx, postings, eventIds));
    const replayed = new Map<CommittedEvents, PostedStream[]>();
    for (const [index, posting] of postings.entries()) {
      const its = <T>(all: readonly T[]): T[] => all.slice(index, index + 1);
      const { committed, tenantId } = posting.caller;
      if (!committed) continue;
      committed.add(tenantId, committedEventsOf([posting], its(results), its(eventIds)));
      const streams = replayedStreamsOf([posting], its(results));
      if (streams.length === 0) continue;
      const known = replayed.get(committed);
      if (known) known.push(...streams);
      else replayed.set(committed, streams);
    }
    for (const [committed, streams] of replayed)
      committed.add(caller.tenantId, await listReplayed(tenants, caller, streams));
    return results;
  });
}

const unreadReplays = counter({
  name: 'holdfast_ledger_replays_unread_total',
  help: 'Batches whose answers named no events of postings that were made before, since these could not be read.',
});

/**
 * For receipts of postings that were made before. The batch is committed: its answers are due whether or not these can be read, be it
 * that the database is away or that the grant has ended meanwhile.
 */
async function listReplayed(
  tenants: TenantDatabase,
  caller: Caller,
  streams: readonly PostedStream[],
): Promise<CommittedEvent[]> {
  try {
    return await tenants.reading(caller, (tx) => listPostedEvents(tx, streams));
  } catch {
    unreadReplays.inc();
    return [];
  }
}
