import { type Database, statement, SystemTx } from '@holdfast/database';

/** The newest tick, and how far the log of PostgreSQL itself has been written and made durable. */
export interface NewestTick {
  readonly id: bigint;
  readonly snapshot: string;
  /** Which database this is: another number after a restore or a failover. 0 before the first sequencer. */
  readonly lineage: bigint;
  /** False while nobody has verified that, or an operator has to decide. */
  readonly isSound: boolean;
  /** Bytes of WAL. Behind everything that this statement sees. */
  readonly insertedTo: bigint;
  readonly flushedTo: bigint;
}

const NEWEST = statement<NewestTick>(
  'events.find_newest_tick',
  `select t.id, t.snapshot::text, coalesce(l.id, 0) as lineage,
     coalesce(l.stopped_at is null and l.server_started_at = pg_postmaster_start_time(), true) as "isSound",
     (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint as "insertedTo",
     (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint as "flushedTo"
   from events.ticks t
   left join (select id, stopped_at, server_started_at from events.lineage order by id desc limit 1) l on true
   order by t.id desc
   limit 1`,
);

/** The newest tick, as the application's role may see it: ticks are of no tenant. Throws DatabaseUnavailable. */
export async function getNewestTick(database: Database): Promise<NewestTick> {
  const [tick] = await database.transaction(
    (connection) => new SystemTx(connection, 'read only'),
    (tx) => tx.last(NEWEST),
  );
  if (!tick) throw new Error('the log has no tick, not even its beginning');
  return tick;
}
