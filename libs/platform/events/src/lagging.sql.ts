import { statement, type SystemTx } from '@holdfast/database';

/** A key that lags behind the log, and where its cursor stands. */
export interface Lagging {
  readonly key: string;
  readonly position: string;
}

const TENANTS = statement<Lagging>(
  'events.list_lagging_tenants',
  `select h.tenant_id as key, coalesce(c.from_tick, g.from_tick) || '/' || coalesce(c.after_seq, 0) as position
   from events.groups g
   cross join events.heads h
   left join events.tenant_cursors c on c.tenant_id = h.tenant_id and c.group_name = g.name
   where g.name = $1 and h.tick > coalesce(c.from_tick, g.from_tick) and (c.retry_at is null or c.retry_at <= clock_timestamp())
   order by h.tick
   limit $2`,
);

const STORE = statement<Lagging>(
  'events.find_lagging_store',
  `select g.name as key, coalesce(c.from_tick, g.from_tick) || '/' || coalesce(c.after_seq, 0) as position
   from events.groups g
   cross join (select max(id) as tick from events.ticks) newest
   left join events.store_cursors c on c.group_name = g.name
   where g.name = $1 and newest.tick > coalesce(c.from_tick, g.from_tick) and (c.retry_at is null or c.retry_at <= clock_timestamp())`,
);

/** The keys of a group that lag and do not wait for a retry; tenants whose last event is oldest come first. */
export function listLagging(
  tx: SystemTx,
  group: { readonly name: string; readonly kind: 'tenant' | 'store' },
  limit: number,
): Promise<Lagging[]> {
  return group.kind === 'store' ? tx.rows(STORE, [group.name]) : tx.rows(TENANTS, [group.name, limit]);
}
