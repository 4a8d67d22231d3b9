import { DROP_REASONS, type DropReason } from './tracked-event';

/** Where events are, or what became of them. `dropped` is counted by reason. */
export type Amount = 'received' | 'recovered' | 'stored' | 'replayed' | 'in_flight' | 'spilled';

/** What became of a tenant's events in one place since it was told last. */
export interface CountChange {
  readonly tenantId: string;
  readonly outcome: Amount | 'dropped';
  /** '' unless dropped. */
  readonly reason: DropReason | '';
  readonly events: number;
}

/** Counts of one tenant, or of all, by amount or by the reason of a drop. */
export type Counts = Record<Amount | DropReason, number>;

const AMOUNTS: readonly Amount[] = ['received', 'recovered', 'stored', 'replayed', 'in_flight', 'spilled'];
const KEYS = [...AMOUNTS, ...DROP_REASONS] as const;

function noCounts(): Counts {
  return Object.fromEntries(KEYS.map((key) => [key, 0])) as Counts;
}

/** How many events were dropped for whatever reason. */
export function droppedOf(counts: Counts): number {
  return DROP_REASONS.reduce((sum, reason) => sum + counts[reason], 0);
}

/**
 * What became of events in one place (at the door, or in the lane of a store), in total and by tenant.
 *
 * At every instant, of each tenant and in total, for each lane: received at the door + recovered = dropped at the door + stored + dropped +
 * in flight + spilled in that lane. `replayed` says how many of the stored came from the disk.
 */
export class Accounting {
  readonly total = noCounts();
  private readonly tenants = new Map<string, { readonly counts: Counts; told: Counts }>();

  /** Counts `events` more (or fewer, of those under way) of a tenant. */
  add(tenantId: string, key: Amount | DropReason, events: number): void {
    this.countsOf(tenantId)[key] += events;
    this.total[key] += events;
  }

  /** Counts events that were at one place and are at another. */
  move(tenantId: string, from: Amount, to: Amount | DropReason, events: number): void {
    this.add(tenantId, from, -events);
    this.add(tenantId, to, events);
  }

  /** Of one tenant. */
  of(tenantId: string): Readonly<Counts> {
    return this.tenants.get(tenantId)?.counts ?? noCounts();
  }

  /** What has changed since the last call. Tenants of whom nothing has, and nothing is under way, are forgotten. */
  takeChanges(): CountChange[] {
    const changes: CountChange[] = [];
    for (const [tenantId, tenant] of this.tenants) {
      const { counts, told } = tenant;
      const changed = KEYS.filter((key) => counts[key] !== told[key]);
      for (const key of changed) {
        const events = counts[key] - told[key];
        if (isAmount(key)) changes.push({ tenantId, outcome: key, reason: '', events });
        else changes.push({ tenantId, outcome: 'dropped', reason: key, events });
      }
      if (changed.length === 0 && counts.in_flight === 0 && counts.spilled === 0)
        this.tenants.delete(tenantId);
      else tenant.told = { ...counts };
    }
    return changes;
  }

  private countsOf(tenantId: string): Counts {
    const known = this.tenants.get(tenantId);
    if (known) return known.counts;
    const counts = noCounts();
    this.tenants.set(tenantId, { counts, told: noCounts() });
    return counts;
  }
}

function isAmount(key: Amount | DropReason): key is Amount {
  return (AMOUNTS as readonly string[]).includes(key);
}
