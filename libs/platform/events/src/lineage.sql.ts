import { type Database, sqlState, statement, SystemTx } from '@holdfast/database';

/** Why events are stopped: another cluster, another timeline, WAL that is gone, or positions of another cluster. */
export type StopReason = 'system' | 'timeline' | 'position' | 'positions';

/** That, and since when. */
export interface Stop {
  readonly reason: StopReason;
  readonly detail: string;
  readonly since: Date;
}

/** What a look at the database has found. */
export interface Verified {
  readonly epoch: number;
  readonly stop: Stop | undefined;
  /** How far its WAL is on disk. */
  readonly flushedTo: string;
}

/** The database that the log belongs to. */
export interface Lineage {
  readonly epoch: number;
  /** Text, because it has 64 bits; null where the platform hides it. */
  readonly systemIdentifier: string | null;
  readonly timeline: number;
  readonly adoptedAt: Date;
  /** `first start`, `failover`, or the operator who bumped the epoch. */
  readonly adoptedBy: string;
  readonly reason: string;
  readonly stoppedAt: Date | null;
  readonly stoppedReason: StopReason | null;
  readonly stoppedDetail: string | null;
}

const VERIFY = statement<{
  epoch: number;
  reason: StopReason | null;
  detail: string;
  since: Date;
  flushedTo: string;
}>(
  'events.verify_lineage',
  `select v.current_epoch as epoch, v.why as reason, v.detail, v.since, v.flushed_to as "flushedTo"
   from events.verify_lineage($1, $2, $3) v`,
);

const FIND = statement<Lineage>(
  'events.find_lineage',
  `select epoch, system_identifier::text as "systemIdentifier", timeline, adopted_at as "adoptedAt",
     adopted_by as "adoptedBy", reason, stopped_at as "stoppedAt", stopped_reason as "stoppedReason",
     stopped_detail as "stoppedDetail"
   from events.lineage
   order by id desc
   limit 1`,
);

const BUMP = statement<{ epoch: number }>('events.bump_epoch', 'select events.bump_epoch($1, $2) as epoch');

/** The log was loaded from a dump, and positions in it cannot be made right. */
export class ForeignPositions extends Error {
  override readonly name = 'ForeignPositions';

  constructor(cause: unknown) {
    super(
      'The log was loaded from a dump: its ticks and cursors hold transaction ids of another cluster, and which events a cursor has passed cannot be told without them. Restore a physical backup (deploy/runbooks/backup-and-restore.md).',
      { cause },
    );
  }
}

/** Looks which database this is, and stops events where it is another one than before; see the migration. */
export async function verifyLineage(
  relay: Database,
  seen: Pick<Verified, 'epoch' | 'flushedTo'> | undefined,
  continueOnFailover: boolean,
): Promise<Verified> {
  const [found] = await relay.transaction(
    (connection) => new SystemTx(connection),
    (tx) => tx.last(VERIFY, [seen?.flushedTo ?? null, seen?.epoch ?? null, continueOnFailover]),
  );
  if (!found) throw new Error('the look at the lineage answered nothing');
  const { epoch, reason, detail, since, flushedTo } = found;
  return { epoch, flushedTo, stop: reason === null ? undefined : { reason, detail, since } };
}

/** The lineage that holds; undefined before the first worker has started. For the roles of relay and operators. */
export async function findLineage(database: Database): Promise<Lineage | undefined> {
  const [lineage] = await database.transaction(
    (connection) => new SystemTx(connection, 'read only'),
    (tx) => tx.last(FIND),
  );
  return lineage;
}

/**
 * Adopts the database as it is in a further epoch, which it answers: ticks and deliveries go on from the cursors as they
 * stand. Throws ForeignPositions.
 */
export async function bumpEpoch(ops: Database, operator: string, reason: string): Promise<number> {
  try {
    const [bumped] = await ops.transaction(
      (connection) => new SystemTx(connection),
      (tx) => tx.last(BUMP, [operator, reason]),
    );
    if (!bumped) throw new Error('the bump answered no epoch');
    return bumped.epoch;
  } catch (error) {
    throw sqlState(error) === 'HF014' ? new ForeignPositions(error) : error;
  }
}
