import { type Caller, newId } from '@holdfast/kernel';
import { counter } from '@holdfast/observability';
import {
  type Announcement,
  announcement,
  type EventType,
  TenantDatabase,
  type TenantTx,
} from '@holdfast/tenancy';
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';

/** What somebody did, of which only how often it came is added up. */
export interface Occurrence {
  readonly caller: Caller;
  /** Its payload has `count`, `from` and `to` beside what is in `about`. */
  readonly type: EventType;
  /** Tells one kind from another. Holds no values of the request: they would make every one a kind of its own. */
  readonly about: Readonly<Record<string, unknown>>;
  /** Ids that are told beside it, 20 in an event, as `of`; left out where the type has none. */
  readonly of?: readonly string[];
}

interface Waiting {
  readonly type: EventType;
  readonly about: Readonly<Record<string, unknown>>;
  readonly of: Set<string> | undefined;
  readonly fromMs: number;
  /** Of the latest, whose grant is good for longest. */
  caller: Caller;
  toMs: number;
  count: number;
}

/** The first of its kind is told at once, or within this time; those that follow wait until the kind was quiet for a while. */
const FLUSH_AFTER_MS = 1_000;
/** Half a minute: a grant is good for a minute at least when a request begins, and what waits is told with it. */
const QUIET_MS = 30_000;
/** Kinds that wait, and kinds that are quiet, each some 500 bytes: 30 MB. */
const WAITING_MAX = 10_000;
const QUIET_MAX = 50_000;
/** Kinds that one flush takes. */
const FLUSHED_MAX = 1_000;
/** What could not be told for so long is given up: its grant has ended. */
const GIVEN_UP_MS = 300_000;
const IDS_MAX = 20;

const dropped = counter({
  name: 'holdfast_audit_tallies_dropped_total',
  help: 'Refusals and readings that no event tells of, by type and reason (full, failed).',
  labels: ['type', 'reason'],
});
const failures = counter({
  name: 'holdfast_audit_tallies_failures_total',
  help: 'Announcements of refusals and readings that failed and are tried again.',
});

/**
 * Announces what a caller did again and again without writing more than an event for each kind of it in half a minute: the
 * first of its kind at once, those that follow together, with their number. A kind is an actor, a type and what it is about.
 *
 * Nothing fails because it could not be told: that is logged and counted. kill -9 loses the numbers of the last half minute;
 * a database that is away defers them, for as long as the callers' grants are good.
 */
@Injectable()
export class Tallies implements OnApplicationShutdown {
  private readonly logger = new Logger('audit');
  private readonly waiting = new Map<string, Waiting>();
  private readonly quiet = new LRUCache<string, true>({ max: QUIET_MAX, ttl: QUIET_MS });
  private timer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> = Promise.resolve();

  constructor(private readonly tenants: TenantDatabase) {}

  /** Counts one; it is told within a second where it is the first of its kind, else together with others. */
  note(occurrence: Occurrence): void {
    const { type, about, of } = occurrence;
    if (isOwnWork(occurrence.caller)) return;
    // It is told up to half a minute later, when the time of its request is over.
    const caller = { ...occurrence.caller, deadline: undefined };
    const kind = kindOf(occurrence);
    const now = Date.now();
    this.setFullAside(kind, of);
    const known = this.waiting.get(kind);
    if (known) {
      Object.assign(known, { caller, toMs: now, count: known.count + 1 });
      addIds(known.of, of);
    } else if (this.waiting.size < WAITING_MAX) {
      const ids = of && new Set(of.slice(0, IDS_MAX));
      this.waiting.set(kind, { caller, type, about, of: ids, fromMs: now, toMs: now, count: 1 });
      this.schedule();
    } else dropped.inc({ type: type.type, reason: 'full' });
  }

  /** The same, and the first of its kind is in the log when this returns. Never throws. */
  async tell(occurrence: Occurrence): Promise<void> {
    const kind = kindOf(occurrence);
    if (isOwnWork(occurrence.caller) || this.quiet.has(kind)) return this.note(occurrence);
    this.quiet.set(kind, true);
    try {
      await this.tenants.transaction(occurrence.caller, (tx) => tx.announce(eventOf(begin(occurrence))));
    } catch (error) {
      this.quiet.delete(kind);
      this.failed(error);
      this.note(occurrence);
    }
  }

  /**
   * Announces it in the transaction, unless one of its kind was told lately. True: whoever commits says so by `told`, else it
   * has to be noted. A failure undoes the announcement alone.
   */
  async tellWithin(tx: TenantTx, occurrence: Occurrence): Promise<boolean> {
    if (isOwnWork(occurrence.caller) || this.quiet.has(kindOf(occurrence))) return false;
    try {
      await tx.savepoint(() => tx.announce(eventOf(begin(occurrence))));
      return true;
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  /** What `tellWithin` has announced is committed. */
  told(occurrence: Occurrence): void {
    this.quiet.set(kindOf(occurrence), true);
  }

  /** Announces what is due, or everything. One flush follows the other. */
  flush(everything = false): Promise<void> {
    return (this.flushing = this.flushing.then(() => this.announce(everything)));
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.timer);
    await this.flush(true);
    clearTimeout(this.timer);
  }

  /** What has no room for another id is told without waiting: nobody looks at one thing behind twenty others. */
  private setFullAside(kind: string, of: readonly string[] = []): void {
    const known = this.waiting.get(kind);
    if (!known?.of || known.of.size < IDS_MAX || of.every((id) => known.of?.has(id))) return;
    this.waiting.delete(kind);
    this.waiting.set(`${kind} ${newId()}`, known);
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => void this.flush(), FLUSH_AFTER_MS).unref();
  }

  private async announce(everything: boolean): Promise<void> {
    this.timer = undefined;
    const due = [...this.waiting].filter(([kind]) => everything || !this.quiet.has(kind));
    const taken = everything ? due : due.slice(0, FLUSHED_MAX);
    for (const [kind] of taken) {
      this.waiting.delete(kind);
      this.quiet.set(kind, true);
    }
    const ofRequests = Map.groupBy(taken, ([, { caller }]) => `${caller.grant} ${caller.requestId}`);
    for (const entries of ofRequests.values()) await this.announceAll(entries);
    if (this.waiting.size > 0) this.schedule();
  }

  /** What one request tells. */
  private async announceAll(entries: readonly (readonly [string, Waiting])[]): Promise<void> {
    const [first] = entries;
    if (!first) return;
    try {
      const events = entries.map(([, waiting]) => eventOf(waiting));
      await this.tenants.transaction(first[1].caller, (tx) => tx.announce(...events));
    } catch (error) {
      this.failed(error);
      for (const [kind, waiting] of entries) this.putBack(kind, waiting);
    }
  }

  private putBack(kind: string, waiting: Waiting): void {
    this.quiet.delete(kind);
    if (Date.now() - waiting.toMs > GIVEN_UP_MS) {
      dropped.inc({ type: waiting.type.type, reason: 'failed' }, waiting.count);
      return;
    }
    const since = this.waiting.get(kind);
    addIds(waiting.of, since?.of);
    const { caller, toMs, count } = since ?? { ...waiting, count: 0 };
    this.waiting.set(kind, { ...waiting, caller, toMs, count: waiting.count + count });
  }

  private failed(error: unknown): void {
    failures.inc();
    this.logger.warn(`a refusal or a reading of the trail could not be recorded: ${String(error)}`);
  }
}

/** Parts of the system act by themselves, and nobody reads or is refused there; an operator who acts through one is somebody. */
function isOwnWork({ actor, act }: Caller): boolean {
  return actor.startsWith('system:') && act === undefined;
}

function kindOf({ caller, type, about }: Occurrence): string {
  return JSON.stringify([caller.tenantId, caller.actor, caller.act, type.type, about]);
}

function begin({ caller, type, about, of }: Occurrence): Waiting {
  const now = Date.now();
  const ids = of && new Set(of.slice(0, IDS_MAX));
  return { caller, type, about, of: ids, fromMs: now, toMs: now, count: 1 };
}

function addIds(ids: Set<string> | undefined, more: Iterable<string> = []): void {
  for (const id of more) if (ids && ids.size < IDS_MAX) ids.add(id);
}

/** Each is a stream of its own: nothing has to be locked, and none follows from another. */
function eventOf({ type, about, of, count, fromMs, toMs }: Waiting): Announcement {
  const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()];
  return announcement(
    type,
    { id: newId(), version: 1n },
    { ...about, ...(of && { of: [...of] }), count, from, to },
  );
}
