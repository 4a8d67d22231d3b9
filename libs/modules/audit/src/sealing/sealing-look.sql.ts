import { statement, type SystemTx } from '@holdfast/database';
import { assertSame, findSealedLineage, type SealedLineage } from './sealer-lease.sql';
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

const POSITIONS = statement<{ here: bigint }>(
  'audit.find_positions',
  `select (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint as here`,
);

/** Looks at the log, in the database of `expected`. Throws SealingStopped. */
export async function lookAtLog(tx: SystemTx, expected: SealedLineage): Promise<SealingLook> {
  const [lineage, tick, positions] = await Promise.all([
    findSealedLineage(tx),
    getNewestTick(tx),
    tx.row(POSITIONS),
  ]);
  assertSame(lineage, expected);
  const flushedHere = positions?.here ?? 0n;
  return { tick: tick.id, snapshot: tick.snapshot, flushedHere, flushedTo: flushedHere };
}
