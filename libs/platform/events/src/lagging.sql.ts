import { statement, type SystemTx } from '@holdfast/database';

/** A key that lags behind the log or has parked events that are due, and where its cursor stands. */
export interface Lagging {
  readonly key: string;
  readonly position: string;
  /** The tick of its last event, by which tenants are listed; null for a store, and for what is only parked. */
  readonly tick: bigint | null;
}

const TENANTS = statement<Lagging>(
  'events.list_lagging_tenants',
  `with lagging as (
     select h.tenant_id, h.tick, coalesce(c.from_tick, g.from_tick) || '/' || coalesce(c.after_seq, 0) as position
     from events.groups g
     cross join events.heads h
     left join events.tenant_cursors c on c.tenant_id = h.tenant_id and c.group_name = g.name
     where g.name = $1 and g.paused_at is null
       and (h.tick > coalesce(c.from_tick, g.from_tick) or c.rewind_to is not null or c.generation < g.generation)
       and (c.retry_at is null or c.retry_at <= clock_timestamp())
       and ($3::bigint is null or (h.tick, h.tenant_id) > ($3, $4::uuid))
     order by h.tick, h.tenant_id
     limit $2
   ), parked as (
     select distinct on (k.tenant_id) k.tenant_id, k.key || '/' || k.attempts || '/' || k.event_count as position
     from events.parked_keys k
     join events.groups g on g.name = k.group_name
     where k.group_name = $1 and g.paused_at is null and k.retry_at <= clock_timestamp()
     order by k.tenant_id
     limit $2
   )
   select l.tenant_id as key, l.position, l.tick from lagging l
   union all
   select p.tenant_id, p.position, null from parked p where p.tenant_id not in (select l.tenant_id from lagging l)
   order by tick, key`,
);

const STORE = statement<Lagging>(
  'events.find_lagging_store',
  `select g.name as key,
     coalesce(c.from_tick, g.from_tick) || '/' || coalesce(c.after_seq, 0) || '/' || coalesce(parked.position, '') as position,
     null::bigint as tick
   from events.groups g
   cross join (select max(id) as tick from events.ticks) newest
   left join events.store_cursors c on c.group_name = g.name
   left join lateral (
     select k.key || '/' || k.attempts || '/' || k.event_count as position
     from events.parked_keys k
     where k.group_name = g.name and k.retry_at <= clock_timestamp()
     order by k.retry_at
     limit 1
   ) parked on true
   where g.name = $1 and g.paused_at is null
     and (parked.position is not null or c.rewind_to is not null or c.generation < g.generation
       or (newest.tick > coalesce(c.from_tick, g.from_tick) and (c.retry_at is null or c.retry_at <= clock_timestamp())))`,
);

/**
 * The keys of a group that is not paused, that lag or are due and do not wait for a retry: `limit` tenants that lag, behind
 * the one that is given, and as many that have something parked. Tenants whose last event is oldest come first.
 */
export function listLagging(
  tx: SystemTx,
  group: { readonly name: string; readonly kind: 'tenant' | 'store' },
  limit: number,
  after?: Pick<Lagging, 'key' | 'tick'>,
): Promise<Lagging[]> {
  if (group.kind === 'store') return tx.rows(STORE, [group.name]);
  return tx.rows(TENANTS, [group.name, limit, after?.tick ?? null, after?.key ?? null]);
}
