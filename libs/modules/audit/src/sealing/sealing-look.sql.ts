import { statement, type SystemTx } from '@holdfast/database';
import { assertSame, findSealedLineage, type SealedLineage } from './sealer-lease.sql';
import type { Positions, StandbyRule } from './standby-rule';
import { getNewestTick } from './trees.sql';

/** What a round begins with. */
export interface SealingLook {
  readonly tick: bigint;
  /** The end of every range that is begun in this round. */
  readonly snapshot: string;
  /** How far the WAL is on this server's disk. */
  readonly flushedHere: bigint;
  /** How far it is on every disk that it has to be on before a checkpoint is signed. */
  readonly flushedTo: bigint;
}

// An active physical slot's restart_lsn is what its standby last said that it has on disk, and everybody may read it; what
// pg_stat_replication says of standbys without a slot is seen by members of pg_read_all_stats only.
const POSITIONS = statement<Positions>(
  'audit.find_positions',
  `select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint as here,
     (greatest(max(r.flush_lsn), (
       select max(s.restart_lsn) from pg_replication_slots s
       where s.slot_type = 'physical' and s.active and not s.temporary)) - '0/0'::pg_lsn)::bigint as standby,
     (count(*) filter (where r.pid is not null and r.state is null and not r.has_slot))::int as hidden,
     (select count(*)::int from pg_replication_slots s where s.slot_type = 'physical' and not s.temporary) as slots
   from (select) one
   left join (
     select w.pid, w.state, s.slot_name is not null as has_slot,
       case when w.state = 'streaming' and s.slot_type is distinct from 'logical' then w.flush_lsn end as flush_lsn
     from pg_stat_replication w
     left join pg_replication_slots s on s.active_pid = w.pid
   ) r on true`,
);

/** Looks at the log, in the database of `expected`. Throws SealingStopped. */
export async function lookAtLog(
  tx: SystemTx,
  expected: SealedLineage,
  standbys: StandbyRule,
): Promise<SealingLook> {
  const [lineage, tick, positions] = await Promise.all([
    findSealedLineage(tx),
    getNewestTick(tx),
    tx.row(POSITIONS),
  ]);
  assertSame(lineage, expected);
  if (!positions) throw new Error('the look at the WAL answered nothing');
  const flushedTo = standbys.safeEnd(positions, performance.now());
  return { tick: tick.id, snapshot: tick.snapshot, flushedHere: positions.here, flushedTo };
}
