import { type Database, sqlState, statement, SystemTx } from '@holdfast/database';

/** A tick that held events. */
export interface Tick {
  readonly id: bigint;
  readonly eventCount: bigint;
  readonly tenantIds: readonly string[];
  /** How old its oldest event was when it was made. */
  readonly lagMs: number;
}

/** The lease has gone to another holder: whoever sees this stops leading. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
}

/** The server is not the one that was looked at last, or events are stopped. */
export class LineageUnverified extends Error {
  override readonly name = 'LineageUnverified';
}

const ACQUIRE = statement<{ fence: bigint }>(
  'events.acquire_lease',
  `update events.leases
   set holder = $2, fence = fence + 1, expires_at = clock_timestamp() + make_interval(secs => $3::int / 1000.0)
   where name = $1 and expires_at < clock_timestamp()
   returning fence`,
);

const RELEASE = statement(
  'events.release_lease',
  `update events.leases
   set expires_at = '-infinity'
   where name = $1 and holder = $2 and fence = $3`,
);

const TICK = statement<Tick>(
  'events.make_tick',
  `select new_tick as id, new_events as "eventCount", new_tenants as "tenantIds", new_lag_ms as "lagMs"
   from events.tick($1, $2, $3)`,
);

const THIN = statement(
  'events.thin_ticks',
  `with named as materialized (
     select from_tick as id from events.tenant_cursors
     union select to_tick from events.tenant_cursors where to_tick is not null
     union select from_tick from events.store_cursors
     union select to_tick from events.store_cursors where to_tick is not null
     union select rewind_to from events.tenant_cursors where rewind_to is not null
     union select rewind_to from events.store_cursors where rewind_to is not null
     union select from_tick from events.groups
     union select to_tick from events.group_actions where to_tick is not null
   ), behind as (
     select min(coalesce(s.from_tick, g.from_tick)) as id
     from events.groups g
     left join events.store_cursors s on s.group_name = g.name
     where g.kind = 'store'
   ), kept as materialized (
     select min(t.id) as id from events.ticks t group by date_trunc('hour', t.created_at)
     union
     select min(t.id)
     from events.ticks t, behind
     where t.id > behind.id
     group by date_trunc(case when t.created_at < clock_timestamp() - interval '1 day' then 'minute' else 'second' end, t.created_at)
   )
   delete from events.ticks
   where id in (
     select t.id
     from events.ticks t
     where t.id > 0
       and t.id < (select max(old.id) from events.ticks old where old.created_at < clock_timestamp() - interval '1 minute')
       and t.id not in (select n.id from named n)
       and t.id not in (select k.id from kept k)
     order by t.id
     limit 5000)`,
);

/** A transaction of the relay's role, which belongs to no tenant. */
export function relaying<T>(relay: Database, work: (tx: SystemTx) => Promise<T>): Promise<T> {
  return relay.transaction((connection) => new SystemTx(connection), work);
}

/** Takes the sequencer's lease when it is free or has expired; answers its fence, or undefined. */
export async function acquireLease(
  relay: Database,
  holder: string,
  leaseMs: number,
): Promise<bigint | undefined> {
  const [lease] = await relaying(relay, (tx) => tx.last(ACQUIRE, ['sequencer', holder, leaseMs]));
  return lease?.fence;
}

/** Gives the lease back, so that another can take it at once. Without effect for a holder who has lost it. */
export async function releaseLease(relay: Database, holder: string, fence: bigint): Promise<void> {
  await relaying(relay, (tx) => tx.last(RELEASE, ['sequencer', holder, fence]));
}

/** Makes a tick if there is anything in it, and renews the lease. Throws LeaseLost or LineageUnverified. */
export async function makeTick(
  relay: Database,
  lease: { readonly holder: string; readonly fence: bigint; readonly leaseMs: number },
): Promise<Tick | undefined> {
  try {
    const [tick] = await relaying(relay, (tx) => tx.last(TICK, [lease.holder, lease.fence, lease.leaseMs]));
    return tick;
  } catch (error) {
    if (sqlState(error) === 'HF010')
      throw new LeaseLost('the lease of the sequencer is held by another', { cause: error });
    if (sqlState(error) === 'HF013')
      throw new LineageUnverified('the lineage of the database is not verified', { cause: error });
    throw error;
  }
}

/**
 * Deletes ticks that nobody needs; answers how many. A tick between two others may go at any time without changing what is
 * delivered. Kept are those that a cursor or a group names; the first of each hour, where a replay by time begins; before the
 * store that is furthest behind one of each second (of each minute, after a day), which cut its backlog into small ranges; and
 * those that were the newest within the last minute: a transaction, which lives for 30 s at most, may be about to name one.
 */
export function thinTicks(relay: Database): Promise<number> {
  return relaying(relay, (tx) => tx.execute(THIN));
}
