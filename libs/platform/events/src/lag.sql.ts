import { type Database, statement } from '@holdfast/database';
import type { ConsumerGroup } from './consumers';
import { lagEvents, lagSeconds, parkedKeys, pausedGroups, quarantinedKeys } from './delivery-metrics';
import { relaying } from './ticks.sql';

/** How far a group lags. `laggingEvents` ends at 10,001, which stands for more than 10,000. */
export interface GroupLag {
  /** Tenants that lag; 1 for a store. */
  readonly laggingKeys: bigint;
  readonly laggingEvents: bigint;
  /** Age of the oldest event that has not taken effect, parked ones aside. */
  readonly lagSeconds: number;
  readonly parkedKeys: bigint;
  readonly parkedEvents: bigint;
  readonly quarantinedKeys: bigint;
}

/**
 * Looks at 1,000 tenants at most, those first whose head is oldest, and at 10,001 events; whoever lags behind that lags
 * by more. Events that the group does not want count until its cursor has passed them.
 */
const MEASURE = statement<GroupLag & { isPaused: boolean }>(
  'events.measure_lag',
  `with behind as (
     select h.tenant_id, h.tick, coalesce(c.from_tick, g.from_tick) as from_tick, coalesce(c.after_seq, 0) as after_seq
     from events.groups g
     cross join events.heads h
     left join events.tenant_cursors c on c.tenant_id = h.tenant_id and c.group_name = g.name
     where g.name = $1 and g.kind = 'tenant' and h.tick > coalesce(c.from_tick, g.from_tick)
     union all
     select null, newest.tick, coalesce(c.from_tick, g.from_tick), coalesce(c.after_seq, 0)
     from events.groups g
     cross join (select max(t.id) as tick from events.ticks t) newest
     left join events.store_cursors c on c.group_name = g.name
     where g.name = $1 and g.kind = 'store' and newest.tick > coalesce(c.from_tick, g.from_tick)
   ), sampled as (
     select b.tenant_id, b.after_seq, t.snapshot
     from behind b
     join events.ticks t on t.id = b.from_tick
     order by b.tick
     limit 1000
   ), oldest as (
     select min(first.occurred_at) as occurred_at
     from sampled s
     cross join lateral (
       select e.occurred_at
       from events.log e
       where (s.tenant_id is null or e.tenant_id = s.tenant_id) and e.xid >= pg_snapshot_xmin(s.snapshot)
         and not pg_visible_in_snapshot(e.xid, s.snapshot) and e.seq > s.after_seq
       order by e.xid
       limit 1
     ) first
   ), counted as (
     select count(*) as events
     from (
       select
       from sampled s
       cross join lateral (
         select
         from events.log e
         where (s.tenant_id is null or e.tenant_id = s.tenant_id) and e.xid >= pg_snapshot_xmin(s.snapshot)
           and not pg_visible_in_snapshot(e.xid, s.snapshot) and e.seq > s.after_seq
         limit 10001
       ) each
       limit 10001
     ) found
   ), parked as (
     select count(*) as keys, coalesce(sum(k.event_count), 0)::bigint as events,
       count(*) filter (where k.state = 'quarantined') as quarantined
     from events.parked_keys k
     where k.group_name = $1
   ), measured as (
     insert into events.group_lags as l (group_name, lagging_keys, lagging_events, lag_seconds, parked_keys, parked_events,
       quarantined_keys, measured_at)
     select $1, (select count(*) from behind), counted.events,
       coalesce(greatest(extract(epoch from clock_timestamp() - oldest.occurred_at), 0), 0), parked.keys, parked.events,
       parked.quarantined, clock_timestamp()
     from oldest, counted, parked
     on conflict (group_name) do update
     set lagging_keys = excluded.lagging_keys, lagging_events = excluded.lagging_events, lag_seconds = excluded.lag_seconds,
       parked_keys = excluded.parked_keys, parked_events = excluded.parked_events,
       quarantined_keys = excluded.quarantined_keys, measured_at = excluded.measured_at
     returning l.lagging_keys, l.lagging_events, l.lag_seconds, l.parked_keys, l.parked_events, l.quarantined_keys
   )
   select m.lagging_keys as "laggingKeys", m.lagging_events as "laggingEvents", m.lag_seconds as "lagSeconds",
     m.parked_keys as "parkedKeys", m.parked_events as "parkedEvents", m.quarantined_keys as "quarantinedKeys",
     g.paused_at is not null as "isPaused"
   from measured m
   cross join events.groups g
   where g.name = $1`,
);

/** Measures how far each group lags, for the metrics of this process and for whoever asks any other. */
export async function measureLags(
  relay: Database,
  groups: readonly Pick<ConsumerGroup, 'name'>[],
): Promise<void> {
  for (const { name: group } of groups) {
    const lag = await relaying(relay, (tx) => tx.row(MEASURE, [group]));
    if (!lag) continue;
    lagEvents.set({ group }, Number(lag.laggingEvents));
    lagSeconds.set({ group }, lag.lagSeconds);
    parkedKeys.set({ group }, Number(lag.parkedKeys));
    quarantinedKeys.set({ group }, Number(lag.quarantinedKeys));
    pausedGroups.set({ group }, lag.isPaused ? 1 : 0);
  }
}

/** A process that does not lead knows of no lag: what it measured when it did is no news. */
export function forgetLags(groups: readonly Pick<ConsumerGroup, 'name'>[]): void {
  for (const { name: group } of groups)
    for (const gauge of [lagEvents, lagSeconds, parkedKeys, quarantinedKeys, pausedGroups])
      gauge.set({ group }, 0);
}
